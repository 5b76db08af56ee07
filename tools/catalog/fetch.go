package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The names under which the price lists are published.
const (
	genaiPackage  = "@pydantic/genai-prices"
	catwalkModule = "charm.land/catwalk"
	aisdkPackage  = "ai-sdk-cost-calculator"
)

// fetcher gets the two price lists. A directory that is given is read as it is; otherwise the version is fetched
// with the registry's own client.
type fetcher struct {
	genaiDir, genaiVersion, genaiDate       string
	catwalkDir, catwalkVersion, catwalkDate string
	aisdkDir, aisdkVersion, aisdkDate       string

	log io.Writer
}

// priceLists is what was read.
type priceLists struct {
	genai   []genaiModel
	catwalk []model
	aisdk   []model
	sources []source
}

func (f *fetcher) fetch(ctx context.Context) (lists priceLists, err error) {
	if err := f.fetchCatwalk(ctx); err != nil {
		return lists, err
	}
	if lists.catwalk, err = readCatwalk(os.DirFS(f.catwalkDir)); err != nil {
		return lists, err
	}
	module, err := f.fetchGenai(ctx)
	if err != nil {
		return lists, err
	}
	if lists.genai, err = readGenai(module); err != nil {
		return lists, err
	}
	if module, err = f.fetchAisdk(ctx); err != nil {
		return lists, err
	}
	if lists.aisdk, err = readAisdk(module); err != nil {
		return lists, err
	}
	lists.sources = []source{
		{letter: aisdkLetter, date: f.aisdkDate, name: aisdkPackage + " " + f.aisdkVersion},
		{letter: catwalkLetter, date: f.catwalkDate, name: catwalkModule + " " + f.catwalkVersion},
		{letter: genaiLetter, date: f.genaiDate, name: genaiPackage + " " + f.genaiVersion},
	}
	for _, s := range lists.sources {
		if _, err := time.Parse(time.DateOnly, s.date); err != nil {
			return lists, fmt.Errorf("publication date of %s: %w", s.name, err)
		}
	}
	return lists, nil
}

// fetchCatwalk makes sure of the module's directory and date.
func (f *fetcher) fetchCatwalk(ctx context.Context) error {
	if f.catwalkDir != "" && f.catwalkDate != "" {
		return nil
	}
	fmt.Fprintf(f.log, "fetching %s %s\n", catwalkModule, f.catwalkVersion)
	answer, err := f.command(ctx, os.TempDir(), "go", "mod", "download", "-json", catwalkModule+"@"+f.catwalkVersion)
	if err != nil {
		return err
	}
	var module struct{ Dir, Info string }
	if err := json.Unmarshal(answer, &module); err != nil {
		return fmt.Errorf("go mod download: %w", err)
	}
	info, err := os.ReadFile(module.Info)
	if err != nil {
		return err
	}
	var version struct{ Time time.Time }
	if err := json.Unmarshal(info, &version); err != nil {
		return fmt.Errorf("%s: %w", module.Info, err)
	}
	if f.catwalkDir == "" {
		f.catwalkDir = module.Dir
	}
	if f.catwalkDate == "" {
		f.catwalkDate = version.Time.UTC().Format(time.DateOnly)
	}
	return nil
}

// fetchGenai returns the package's module source and makes sure of its date.
func (f *fetcher) fetchGenai(ctx context.Context) (string, error) {
	return f.fetchPackage(ctx, genaiPackage, f.genaiVersion, f.genaiDir, &f.genaiDate)
}

// fetchAisdk does the same for the third list.
func (f *fetcher) fetchAisdk(ctx context.Context) (string, error) {
	return f.fetchPackage(ctx, aisdkPackage, f.aisdkVersion, f.aisdkDir, &f.aisdkDate)
}

// fetchPackage returns the source of an npm package's module, and its publication date where that is not known.
func (f *fetcher) fetchPackage(ctx context.Context, name, version, dir string, date *string) (string, error) {
	spec := name + "@" + version
	if *date == "" {
		fmt.Fprintf(f.log, "asking for the date of %s\n", spec)
		answer, err := f.command(ctx, "", "npm", "view", spec, "time", "--json")
		if err != nil {
			return "", err
		}
		times := map[string]time.Time{}
		if err := json.Unmarshal(answer, &times); err != nil {
			return "", fmt.Errorf("npm view: %w", err)
		}
		*date = times[version].UTC().Format(time.DateOnly)
	}
	if dir == "" {
		fmt.Fprintf(f.log, "fetching %s\n", spec)
		return f.unpack(ctx, spec)
	}
	if err := checkVersion(dir, version); err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(dir, "dist", "index.js"))
	return string(text), err
}

// unpack reads the module out of a package's archive, which does not outlive the call.
func (f *fetcher) unpack(ctx context.Context, spec string) (string, error) {
	dir, err := os.MkdirTemp("", "prices-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	answer, err := f.command(ctx, dir, "npm", "pack", "--silent", spec)
	if err != nil {
		return "", err
	}
	archive := strings.TrimSpace(string(answer))
	text, err := f.command(ctx, dir, "tar", "-xzOf", archive, "package/dist/index.js")
	return string(text), err
}

// checkVersion refuses a directory that holds another version than the snapshot would name.
func checkVersion(dir, version string) error {
	text, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if err != nil {
		return err
	}
	var manifest struct{ Version string }
	if err := json.Unmarshal(text, &manifest); err != nil {
		return fmt.Errorf("package.json: %w", err)
	}
	if manifest.Version != version {
		return fmt.Errorf("%s holds version %s, want %s (see the flags for versions)", dir, manifest.Version, version)
	}
	return nil
}

// command runs a registry's client and returns what it prints.
func (f *fetcher) command(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, fmt.Errorf("%s: %w: %s%s", strings.Join(cmd.Args, " "), err, out, exit.Stderr)
	}
	return out, err
}
