package sdks

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// suite is an SDK's own tests, and how a Meter gets under its client. The SDK is copied out of the module cache for it.
type suite struct {
	module   string
	packages []string
	env      []string
	// inject puts the Meter into a copy of the SDK.
	inject func(t *testing.T, dir string)
}

// meterFile makes a Meter in a package of the copy, if it is told to. It notes every receipt in a file, to show that it was
// there. One binary for both runs: an SDK takes minutes to compile.
const meterFile = `package %s

import (
	"net/http"
	"os"

	"github.com/farebox-go/farebox"
)

var fareboxMeter = func() *farebox.Meter {
	path := os.Getenv("FAREBOX_SUITE_RECEIPTS")
	if path == "" {
		return nil
	}
	receipts, err := farebox.OpenLineFile(path, false)
	if err != nil {
		panic(err)
	}
	meter, err := farebox.NewMeter(farebox.WithSink(receipts), farebox.WithBaseTransport(http.DefaultTransport))
	if err != nil {
		panic(err)
	}
	return meter
}()
`

var suites = map[string]suite{
	"go-openai": {
		module: "github.com/sashabaranov/go-openai", packages: []string{"."},
		inject: func(t *testing.T, dir string) {
			// The tests' clients have no transport of their own.
			write(t, filepath.Join(dir, "farebox_meter_test.go"), fmt.Sprintf(meterFile, "openai_test")+`
func init() {
	if fareboxMeter != nil {
		http.DefaultTransport = fareboxMeter.Transport(http.DefaultTransport)
	}
}
`)
		},
	},
	"openai-go": {
		module: "github.com/openai/openai-go/v3", packages: []string{"."},
		env: []string{"SKIP_MOCK_TESTS=true"}, // those want a server of OpenAI's description
		inject: func(t *testing.T, dir string) {
			config := filepath.Join(dir, "internal", "requestconfig")
			write(t, filepath.Join(config, "farebox_meter.go"), fmt.Sprintf(meterFile, "requestconfig")+`
func metered(next func(*http.Request) (*http.Response, error)) func(*http.Request) (*http.Response, error) {
	if fareboxMeter == nil {
		return next
	}
	return func(req *http.Request) (*http.Response, error) { return fareboxMeter.Middleware()(req, next) }
}
`)
			replace(t, filepath.Join(config, "requestconfig.go"), "	for i := len(cfg.Middlewares) - 1; i >= 0; i -= 1 {",
				"	handler = metered(handler)\n	for i := len(cfg.Middlewares) - 1; i >= 0; i -= 1 {")
		},
	},
}

// TestSDKsOwnTests runs what the SDKs test themselves with, with the Meter and without: the same tests pass.
func TestSDKsOwnTests(t *testing.T) {
	t.Parallel()
	if os.Getenv("FAREBOX_SDK_SUITES") == "" {
		t.Skip("FAREBOX_SDK_SUITES is not set: this compiles whole SDKs, which takes minutes")
	}
	for name, s := range suites {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := copyModule(t, s.module)
			s.inject(t, dir)
			requireFarebox(t, dir)
			without := runSuite(t, &s, dir, "")
			receipts := filepath.Join(t.TempDir(), "receipts.jsonl")
			with := runSuite(t, &s, dir, receipts)
			passed := 0
			for _, test := range slices.Sorted(maps.Keys(without)) {
				if with[test] != without[test] {
					t.Errorf("%s: %s with the Meter, %s without", test, with[test], without[test])
				}
				if without[test] == "pass" {
					passed++
				}
			}
			lines, err := os.ReadFile(receipts)
			if err != nil {
				t.Fatal(err)
			}
			metered := bytes.Count(lines, []byte("\n"))
			t.Logf("%d tests, of which %d pass; %d receipts", len(without), passed, metered)
			if passed == 0 || metered == 0 || len(with) != len(without) {
				t.Errorf("%d tests with the Meter, %d without, %d pass; %d receipts", len(with), len(without), passed, metered)
			}
		})
	}
}

// copyModule copies a module out of the module cache, where it may not be changed.
func copyModule(t *testing.T, module string) string {
	t.Helper()
	source := strings.TrimSpace(string(goCommand(t, ".", nil, "list", "-m", "-f", "{{.Dir}}", module)))
	dir := filepath.Join(t.TempDir(), "module")
	if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chmod(path, 0o755)) // the cache's are not writable
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// requireFarebox makes a copy depend on this checkout.
func requireFarebox(t *testing.T, dir string) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	goCommand(t, dir, nil, "mod", "edit", "-require=github.com/farebox-go/farebox@v0.0.0", "-replace=github.com/farebox-go/farebox="+root)
	goCommand(t, dir, nil, "mod", "tidy")
}

// runSuite runs an SDK's tests, and returns what became of each.
func runSuite(t *testing.T, s *suite, dir, receipts string) map[string]string {
	t.Helper()
	out := goCommand(t, dir, append(s.env, "FAREBOX_SUITE_RECEIPTS="+receipts), append([]string{"test", "-count=1", "-vet=off", "-json"}, s.packages...)...)
	results := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event struct{ Action, Package, Test string }
		if json.Unmarshal(lines.Bytes(), &event) != nil || event.Test == "" {
			continue
		}
		if event.Action == "pass" || event.Action == "fail" || event.Action == "skip" {
			results[event.Package+" "+event.Test] = event.Action
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return results
}

// goCommand runs the go command outside of the workspace. Tests that fail are a result.
func goCommand(t *testing.T, dir string, env []string, args ...string) []byte {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", args...)
	command.Dir, command.Env = dir, append(append(os.Environ(), "GOWORK=off", "GOFLAGS="), env...)
	var errs bytes.Buffer
	command.Stderr = &errs
	out, err := command.Output()
	if err != nil && args[0] != "test" {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// replace changes the one place in a file where a text stands.
func replace(t *testing.T, path, old, now string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Count(text, []byte(old)) != 1 {
		t.Fatalf("%s has changed: %q does not stand in it once", path, old)
	}
	write(t, path, strings.Replace(string(text), old, now, 1))
}
