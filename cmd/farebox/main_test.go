package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMain keeps lists that this machine's user fetched out of the tests.
func TestMain(m *testing.M) {
	_ = os.Setenv("FAREBOX_PRICE_LISTS", "-")
	os.Exit(m.Run())
}

func invoke(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(context.Background(), args, strings.NewReader("hello world"), &out, &errs)
	return out.String(), errs.String(), code
}

func TestPriceOfWorkloads(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ rates, input, output, calls, total string }{
		{"input=0.20,output=0.60", "100", "150", "10000", "1.1"},
		{"input=10,output=30", "500", "2000", "50", "3.25"},
		{"input=0.30,output=0.60", "200", "400", "20", "0.006"},
	} {
		stdout, stderr, code := invoke(t, "price", "--model", "m", "--rates", tc.rates, "--input", tc.input, "--output", tc.output, "--calls", tc.calls, "--json")
		if code != 0 {
			t.Fatalf("exit %d: %s", code, stderr)
		}
		var got struct {
			Total string `json:"total"`
		}
		if err := json.Unmarshal([]byte(stdout), &got); err != nil || got.Total != tc.total {
			t.Errorf("%+v: total %q, %v", tc, got.Total, err)
		}
	}
}

func TestPriceFromCatalog(t *testing.T) {
	t.Parallel()
	stdout, stderr, code := invoke(t, "price", "--provider", "openai", "--model", "gpt-4o-mini", "--input", "1000000", "--output", "1000000")
	if code != 0 || !strings.Contains(stdout, "$0.75") {
		t.Errorf("exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

func TestModels(t *testing.T) {
	t.Parallel()
	stdout, _, code := invoke(t, "models", "GPT-4o-mini", "--provider", "openai", "--json")
	var rows []modelRow
	if err := json.Unmarshal([]byte(stdout), &rows); err != nil || code != 0 || len(rows) == 0 {
		t.Fatalf("exit %d, %v, %q", code, err, stdout)
	}
	if rows[0].Model != "gpt-4o-mini" || rows[0].Input != "0.15" || rows[0].Output != "0.6" || rows[0].AsOf == "" {
		t.Errorf("first row: %+v", rows[0])
	}
	table, _, _ := invoke(t, "models", "gpt-4o-mini", "--provider", "openai")
	if !strings.HasPrefix(table, "PROVIDER") || !strings.Contains(table, "0.15") {
		t.Errorf("table: %q", table)
	}
}

func TestWrongUse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args []string
		code int
		says string
	}{
		{nil, exitUsage, "farebox --help"},
		{[]string{"price"}, exitUsage, "--model"},
		{[]string{"price", "--model", "gpt-4o", "--units", "page"}, exitUsage, "NAME=NUMBER"},
		{[]string{"price", "--model", "gpt-4o", "--calls", "0"}, exitUsage, "at least one call"},
		{[]string{"price", "--model", "gpt-4o", "--units", "page=3"}, exitFailure, "no rate for page"},
		{[]string{"price", "--model", "m", "--input=-1"}, exitUsage, "negative"},
		{[]string{"price", "--model", "m", "--rates", "input"}, exitUsage, "DIMENSION=DOLLARS"},
		{[]string{"price", "--model", "m", "--rates", "inputs=1"}, exitUsage, "not a dimension"},
		{[]string{"price", "--model", "no-such-model", "--input", "1"}, exitFailure, "no model"},
		{[]string{"price", "--endpoint", "groq", "--model", "gpt-4o", "--input", "1"}, exitFailure, "azure, openai"},
		{[]string{"price", "--endpoint", "openai", "--model", "no-such-model", "--input", "1"}, exitFailure, "no price"},
		{[]string{"compare"}, exitUsage, "--input"},
		{[]string{"compare", "--input", "1", "--needs", "magic"}, exitUsage, "want tools, vision"},
		{[]string{"compare", "--input", "1", "--max-price", "0"}, exitUsage, "--max-price"},
		{[]string{"compare", "--input", "1", "--provider", "nobody"}, exitFailure, "no model"},
		{[]string{"models", "show", "gpt4o"}, exitFailure, "there is gpt-4o"},
		{[]string{"catalog"}, exitUsage, "refresh"},
		{[]string{"catalog", "diff"}, exitFailure, "no list to compare"},
		{[]string{"catalog", "diff", "prices.json"}, exitUsage, "FORM=FILE"},
		{[]string{"catalog", "refresh", "csv"}, exitUsage, "want one of"},
		{[]string{"catalog", "refresh", "farebox"}, exitUsage, "URL"},
		{[]string{"catalog", "validate", "no-such-file"}, exitFailure, "no-such-file"},
		{[]string{"--prices", "no-such-file", "models"}, exitUsage, "no-such-file"},
		{[]string{"completion", "csh"}, exitUsage, "bash"},
		{[]string{"models", "no-such-model"}, exitFailure, "no model"},
		{[]string{"count", "no-such-file"}, exitFailure, "farebox: open no-such-file"},
		{[]string{"nonsense"}, exitUsage, "nonsense"},
	} {
		stdout, stderr, code := invoke(t, tc.args...)
		if strings.Contains(stderr, "farebox: farebox:") {
			t.Errorf("%v: the name stands twice in %q", tc.args, stderr)
		}
		if code != tc.code || !strings.Contains(stderr+stdout, tc.says) {
			t.Errorf("%v: exit %d, want %d; stderr %q", tc.args, code, tc.code, stderr)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	if stdout, _, code := invoke(t, "--help"); code != 0 || !strings.Contains(stdout, "models") {
		t.Errorf("--help: exit %d, %q", code, stdout)
	}
	if stdout, _, code := invoke(t, "--version"); code != 0 || !strings.Contains(stdout, "catalog of 20") {
		t.Errorf("--version: exit %d, %q", code, stdout)
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, []byte(strings.Repeat("The quick brown fox. ", 10_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := invoke(t, "count", "--json", "-", file)
	var rows []countRow
	if err := json.Unmarshal([]byte(stdout), &rows); err != nil || code != 0 || len(rows) != 2 {
		t.Fatalf("exit %d, %v, %q, %s", code, err, stdout, stderr)
	}
	if rows[0].Tokens != 2 || rows[0].Bytes != 11 || !rows[0].Exact || rows[0].Encoding != "o200k_base" {
		t.Errorf("standard input: %+v", rows[0])
	}
	if rows[1].Tokens != 50_001 || rows[1].Bytes != 210_000 || rows[1].Cost == nil || rows[1].Cost.String() != "$0.1250025" {
		t.Errorf("file: %+v", rows[1])
	}
	for model, at := range map[string]string{"claude-sonnet-4-5": "anthropic", "gemini-2.5-flash": "google", "meta-llama/llama-3.3-70b-instruct": "openrouter", "nobody-knows-it": "-"} {
		if table, _, _ := invoke(t, "count", "--model", model, file); !strings.Contains(table, at) {
			t.Errorf("%s is read at another place than %s:\n%s", model, at, table)
		}
	}
	table, _, _ := invoke(t, "count", "--model", "claude-sonnet-4-5", "--provider", "anthropic")
	if !strings.Contains(table, "estimated") || !strings.Contains(table, "$0.00000") {
		t.Errorf("table: %q", table)
	}
	_, stderr, code = invoke(t, "count", file, filepath.Join(t.TempDir(), "absent"))
	if code != exitFailure || !strings.Contains(stderr, "absent") {
		t.Errorf("an absent file: exit %d, %q", code, stderr)
	}
}

func TestProgressSpeaksOnlyOfWhatTakesTime(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	p := &progress{source: strings.NewReader("abc"), name: "f", to: &said}
	if _, err := io.Copy(io.Discard, p); err != nil || said.Len() > 0 {
		t.Errorf("%v, said %q", err, said.String())
	}
	p = &progress{source: strings.NewReader("abc"), name: "f", to: &said, next: time.Now().Add(-time.Second)}
	if _, err := io.Copy(io.Discard, p); err != nil || !strings.Contains(said.String(), "f: 0 MB") || !strings.HasSuffix(said.String(), "\x1b[K") {
		t.Errorf("%v, said %q", err, said.String())
	}
}
