package tokens

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestNode runs the script over packages of its own making, so that it needs no others.
func TestNode(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed:", err)
	}
	folder := t.TempDir()
	for path, source := range map[string]string{
		"tiktoken/index.js":                       `exports.get_encoding = (name) => ({encode_ordinary: (s) => [...s]})`,
		"@anysphere/tiktoken-node/index.js":       `exports.SupportedEncoding = {O200k: 2}; exports.getTokenizer = () => ({exactNumTokensNoSpecialTokens: async (s, e) => s.length + e})`,
		"tiktoken-node/index.js":                  `exports.getEncoding = (name) => { throw new Error("no " + name) }`,
		"gpt-tokenizer/encoding/o200k_base.js":    `exports.countTokens = (s) => s.split(" ").length`,
		"gpt-tokenizer/encoding/cl100k_base.json": `{}`,
	} {
		path = filepath.Join(folder, "node_modules", filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(source), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv(NodePackages, folder)
	for _, test := range []struct {
		library string
		tokens  int // of the text; 0 if the encoding cannot be opened
	}{
		{"npm-tiktoken", 10}, {"npm-tiktoken-node", 0}, {"npm-gpt-tokenizer", 3},
		{"npm-anysphere-tiktoken-node", 12},
	} {
		command, err := library(t, test.library).Command(folder)
		if err != nil {
			t.Fatal(err)
		}
		peer := start(t, command)
		if _, err := peer.Measure(1); err == nil || !strings.Contains(err.Error(), "no encoding") {
			t.Errorf("%s: measured before it is opened: %v", test.library, err)
		}
		_, err = peer.Open("o200k_base")
		if (err == nil) != (test.tokens > 0) {
			t.Errorf("%s: Open gives %v", test.library, err)
		}
		if err != nil {
			continue
		}
		if f, err := peer.Text("zwölf an \""); err != nil || f.Tokens != test.tokens || f.Time <= 0 {
			t.Errorf("%s: Text gives %+v, %v", test.library, f, err)
		}
		if f, err := peer.MeasureFor(time.Millisecond); err != nil || f.Tokens != test.tokens {
			t.Errorf("%s: MeasureFor gives %+v, %v", test.library, f, err)
		}
	}
}

func TestNodeAbsent(t *testing.T) {
	for _, folder := range []string{"", t.TempDir()} {
		t.Setenv(NodePackages, folder)
		if command, err := library(t, "npm-tiktoken").Command(t.TempDir()); !errors.Is(err, ErrAbsent) {
			t.Errorf("in %q: %v, %v", folder, command, err)
		}
	}
}

func TestBuildSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	path, err := Build(t.TempDir(), "nothing", "./programs/nothing")
	if err == nil || errors.Is(err, ErrAbsent) || !strings.Contains(err.Error(), "programs/nothing") {
		t.Errorf("Build gives %q, %v", path, err)
	}
}

func library(t *testing.T, name string) Library {
	t.Helper()
	all := Libraries()
	i := slices.IndexFunc(all, func(l Library) bool { return l.Name == name })
	if i < 0 {
		t.Fatalf("no library is called %s", name)
	}
	return all[i]
}

func TestPeerThatEnds(t *testing.T) {
	t.Parallel()
	peer, err := Start([]string{"go", "version"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := peer.Open("o200k_base"); err == nil {
		t.Error("a program that does not serve is opened")
	}
	if err := peer.Close(); err != nil {
		t.Error(err)
	}
	if peer, err := Start([]string{filepath.Join(t.TempDir(), "nothing")}); err == nil {
		t.Errorf("a program that does not exist is started: %v", peer)
	}
}

func TestWarmAndCold(t *testing.T) {
	t.Parallel()
	path, err := Build(t.TempDir(), "bytes", "./programs/bytes")
	if err != nil {
		t.Fatal(err)
	}
	subjects := []Subject{{Library{Name: "bytes"}, []string{path}}}
	sizes := []Text{{"three", "abc"}, {"five", "abcde"}}
	warm, err := Warm(subjects, "any", sizes, 2, time.Microsecond)
	if err != nil {
		t.Fatal(err)
	}
	cold, err := Cold(subjects, "any", sizes, 3)
	if err != nil {
		t.Fatal(err)
	}
	for name, rows := range map[string][]Row{"warm": warm, "cold": cold} {
		if len(rows) != 1 || len(rows[0].Figures) != 2 || rows[0].Figures[0].Tokens != 3 || rows[0].Figures[1].Tokens != 5 {
			t.Errorf("%s: %+v", name, rows)
		}
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	same := func(d time.Duration) time.Duration { return d }
	for want, of := range map[time.Duration][]time.Duration{1: {1}, 2: {3, 2, 1}, 5: {9, 1, 5, 7, 2}, 8: {8, 4}} {
		if got := Median(of, same); got != want {
			t.Errorf("Median(%v) = %d, want %d", of, got, want)
		}
	}
}

func TestTexts(t *testing.T) {
	t.Parallel()
	names := make(map[string]bool)
	for _, text := range texts(t) {
		if names[text.Name] || len(text.Text) < 1000 {
			t.Errorf("%s: %d bytes, or twice", text.Name, len(text.Text))
		}
		names[text.Name] = true
	}
	for _, name := range []string{"english", "gocode", "json", "chinese", "mixed", "chat", "letters", "base64", "long-english"} {
		if !names[name] {
			t.Errorf("no text is called %s", name)
		}
	}
	if texts, err := Samples(t.TempDir()); err == nil {
		t.Errorf("an empty folder gives %d texts", len(texts))
	}
	for _, text := range Runs(100) {
		if len(text.Text) != 100 {
			t.Errorf("%s: %d bytes", text.Name, len(text.Text))
		}
	}
}
