package main

import (
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
