package tokens

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// NodePackages names the environment variable with the folder that the npm libraries were installed in.
const NodePackages = "FAREBOX_BENCH_NODE"

// ErrAbsent is for a library that is not to be had on this machine.
var ErrAbsent = errors.New("not to be had here")

// Library is one counter, in a program by itself.
type Library struct {
	Name string
	// Allocates tells whether the program knows what it allocates.
	Allocates bool

	build func(folder string) (command []string, err error)
}

// Libraries gives all that are measured, farebox first. They are run from the folder of this package.
func Libraries() []Library {
	return []Library{
		{"farebox", true, inWorkspace("farebox")},
		{"tiktoken-go", true, inWorkspace("tiktokengo")},
		{"tiktoken-go-tokenizer", true, tokenizer},
		{"npm-tiktoken", false, npm("tiktoken")},
		{"npm-tiktoken-node", false, npm("tiktoken-node")},
		{"npm-tiktoken-rs-node", false, npm("tiktoken-rs-node-linux-x64-gnu")},
		{"npm-anysphere-tiktoken-node", false, npm("@anysphere/tiktoken-node")},
		{"npm-gpt-tokenizer", false, npm("gpt-tokenizer")},
	}
}

// Command makes the program in a folder, and gives how it is started. The error is [ErrAbsent] where something that it
// takes is not installed.
func (l Library) Command(folder string) ([]string, error) {
	command, err := l.build(folder)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.Name, err)
	}
	return command, nil
}

func inWorkspace(program string) func(string) ([]string, error) {
	return func(folder string) ([]string, error) {
		path, err := Build(folder, program, "./programs/"+program)
		return []string{path}, err
	}
}

// outside is the folder of the one program that is in a module of its own.
const outside = "./tokenizer"

func tokenizer(folder string) ([]string, error) {
	path, err := Build(folder, "tokenizer", outside)
	return []string{path}, err
}

// Build builds the Go program in a folder of this module into another one, and gives the path of the result.
func Build(folder, name, program string, flags ...string) (string, error) {
	path, err := filepath.Abs(filepath.Join(folder, name))
	if err != nil {
		return "", err
	}
	build := exec.Command("go", append([]string{"build", "-C", program, "-o", path}, flags...)...)
	if program == outside {
		build.Env = append(os.Environ(), "GOWORK=off")
	}
	out, err := build.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("go build in %s: %w: %s", program, err, out)
		if program == outside {
			err = fmt.Errorf("%w: %w", ErrAbsent, err)
		}
		return "", err
	}
	return path, nil
}

func npm(name string) func(string) ([]string, error) {
	return func(string) ([]string, error) {
		node, err := exec.LookPath("node")
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrAbsent, err)
		}
		folder := os.Getenv(NodePackages)
		if folder == "" {
			return nil, fmt.Errorf("%w: %s is not set", ErrAbsent, NodePackages)
		}
		if _, err := os.Stat(filepath.Join(folder, "node_modules", filepath.FromSlash(name))); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrAbsent, err)
		}
		return []string{node, "node/serve.cjs", folder, name}, nil
	}
}
