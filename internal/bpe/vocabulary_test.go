package bpe

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"runtime"
	"strconv"
	"testing"
)

// TestPublishedVocabulary writes each vocabulary as it is published and compares the sums of the files.
func TestPublishedVocabulary(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"o200k_base":  "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
		"cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
		"p50k_base":   "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",
		"r50k_base":   "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
	} {
		e := mustEncoding(t, name)
		var file []byte
		for id := range e.Size() {
			token := e.vocab.token(uint32(id))
			if len(token) == 0 {
				continue
			}
			file = base64.StdEncoding.AppendEncode(file, token)
			file = append(file, ' ')
			file = strconv.AppendInt(file, int64(id), 10)
			file = append(file, '\n')
		}
		sum := sha256.Sum256(file)
		if got := hex.EncodeToString(sum[:]); got != want {
			t.Errorf("%s: SHA-256 is %s, want %s", name, got, want)
		}
	}
}

func TestBrokenMergeList(t *testing.T) {
	t.Parallel()
	var bytes []byte
	for i := range 256 {
		bytes = append(bytes, byte(i))
	}
	uvarints := func(numbers ...uint64) []byte {
		list := bytes[:256:256]
		for _, n := range numbers {
			list = binary.AppendUvarint(list, n)
		}
		return list
	}
	for name, list := range map[string][]byte{
		"empty":            nil,
		"short":            bytes[:255],
		"right is missing": uvarints(1),
		"left is later":    uvarints(257, 1),
		"right is itself":  uvarints(1, 256),
		"cut number":       append(uvarints(1), 0x80),
		"part is unused":   uvarints(256, 256, 1),
		"byte twice":       append(bytes[:255:255], 0),
	} {
		if _, err := newVocabulary(list, 0); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	v, err := newVocabulary(uvarints('a', 'b', 257, 256, 'c'), 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := v.wholeToken("abc"); got != 258 {
		t.Errorf(`the token of "abc" is %d, want 258`, got)
	}
}

// TestLoadMemory holds the tables to what the package promises to keep.
func TestLoadMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	v, err := newVocabulary(o200kMerges, 0)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if kept := int64(after.HeapAlloc) - int64(before.HeapAlloc); kept > 12<<20 {
		t.Errorf("o200k_base keeps %d bytes", kept)
	}
	runtime.KeepAlive(v)
}

func FuzzMergeList(f *testing.F) {
	f.Add(p50kMerges[:2000])
	f.Add(o200kMerges[:400])
	f.Add(p50kMerges[:255])
	f.Fuzz(func(t *testing.T, list []byte) {
		v, err := newVocabulary(list, 0)
		if err != nil {
			return
		}
		text := "any text, 中文, at all\xff"
		c := newScratch()
		if n := c.countPiece(v, text); n < 1 || n > 2+len(text) {
			t.Errorf("%d tokens", n)
		}
	})
}
