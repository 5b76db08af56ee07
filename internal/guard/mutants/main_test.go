package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryMutantIsKilled is the command's own run, over other cases.
func TestEveryMutantIsKilled(t *testing.T) {
	var said strings.Builder
	ok, err := run(&said, 2000, 7)
	if err != nil || !ok {
		t.Errorf("%v\n%s", err, said.String())
	}
}

// TestASurvivorIsReported: with too few cases to find anything, the command says so.
func TestASurvivorIsReported(t *testing.T) {
	var said strings.Builder
	ok, err := run(&said, 1, 1)
	if err != nil || ok || !strings.Contains(said.String(), "SURVIVED") {
		t.Errorf("ok=%v, %v\n%s", ok, err, said.String())
	}
}

// TestChangesApply: what is to be changed in the guard's source is there. The command says so of the rest of the module.
func TestChangesApply(t *testing.T) {
	for _, c := range changes {
		if c.killers != "" {
			continue
		}
		source, err := os.ReadFile(filepath.Join("..", "..", "..", filepath.FromSlash(c.file)))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(source), c.before); n != 1 {
			t.Errorf("%s: what is to be changed stands %d times in %s: write the change anew, after the source", c.mistake, n, c.file)
		}
	}
}
