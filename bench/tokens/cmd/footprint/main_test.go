package main

import (
	"strings"
	"testing"

	"github.com/farebox-go/farebox/bench/tokens"
)

func TestSizeAndLoad(t *testing.T) {
	t.Chdir("../..")
	folder := t.TempDir()
	whole, err := size(folder, "./programs/bytes")
	if err != nil {
		t.Fatal(err)
	}
	stripped, err := size(folder, "./programs/bytes", "-ldflags=-s -w")
	if err != nil || stripped < 0.5 || stripped >= whole {
		t.Errorf("%v MB, stripped %v MB, %v", whole, stripped, err)
	}
	if _, err := size(folder, "./programs/nothing"); err == nil {
		t.Error("a program that does not exist has a size")
	}

	path, err := tokens.Build(folder, "bytes", "./programs/bytes")
	if err != nil {
		t.Fatal(err)
	}
	subject := tokens.Subject{Library: tokens.Library{Name: "bytes", Allocates: true}, Program: []string{path}}
	var out strings.Builder
	if err := load(&out, subject, "any", 3); err != nil || !strings.HasPrefix(out.String(), "| bytes | any | 0.") {
		t.Errorf("load prints %q, %v", out.String(), err)
	}
	if err := run(&out, 0); err == nil {
		t.Error("no programs at all are no error")
	}
}
