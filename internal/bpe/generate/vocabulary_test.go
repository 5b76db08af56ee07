package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// published writes a .tiktoken file of all single bytes and the tokens given, and its sum. An empty token leaves its
// rank out.
func published(tokens ...string) (file []byte, sum string) {
	for i := range 256 {
		file = fmt.Appendf(file, "%s %d\n", base64.StdEncoding.EncodeToString([]byte{byte(i)}), i)
	}
	for i, token := range tokens {
		if token != "" {
			file = fmt.Appendf(file, "%s %d\n", base64.StdEncoding.EncodeToString([]byte(token)), 256+i)
		}
	}
	raw := sha256.Sum256(file)
	return file, hex.EncodeToString(raw[:])
}

func TestMergeList(t *testing.T) {
	t.Parallel()
	v, err := parseVocabulary(published("ab", "", "abc", "cab"))
	if err != nil {
		t.Fatal(err)
	}
	list, err := v.mergeList()
	if err != nil {
		t.Fatal(err)
	}
	// 256 is ab, 257 is unused, 258 is ab+c, 259 is c+ab.
	want := []byte{'a', 'b', 0x81, 0x02, 0x80, 0x02, 'c', 'c', 0x80, 0x02}
	if !bytes.Equal(list[256:], want) {
		t.Errorf("the list is % x, want % x", list[256:], want)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	if v, err := parseVocabulary(published("abc")); err != nil {
		t.Error(err)
	} else if _, err := v.mergeList(); err == nil {
		t.Error("a token of three parts is accepted")
	}
	file, _ := published()
	if _, err := parseVocabulary(file, strings.Repeat("0", 64)); err == nil {
		t.Error("a file with another sum is accepted")
	}
}

func TestClasses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "UnicodeData.txt")
	data := "0041;LATIN CAPITAL LETTER A;Lu;0\n0061;A;Ll;0\n4E00;<CJK Ideograph, First>;Lo;0\n9FFF;<CJK Ideograph, Last>;Lo;0\n"
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	classes, err := readClasses(path)
	if err != nil {
		t.Fatal(err)
	}
	for r, want := range map[rune]byte{
		'A': upper, 'a': lower, 'b': other, '\n': newline, '\t': space, 0x85: space,
		0x4dff: other, 0x4e00: letter, 0x7000: letter, 0x9fff: letter, 0xa000: other,
	} {
		if classes[r] != want {
			t.Errorf("%U is of class %b, want %b", r, classes[r], want)
		}
	}
}
