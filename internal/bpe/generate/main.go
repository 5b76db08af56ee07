// Command generate writes the data files that package bpe embeds.
//
//	go run . -unicode UnicodeData.txt -out ../data
//
// The vocabularies come from the published .tiktoken files, as carried by tiktoken-go-loader, and are refused
// unless their SHA-256 is the published one. The character classes come from UnicodeData.txt of Unicode 16.0.0,
// the version that OpenAI's own tokenizer is built with; without -unicode that file is left as it is.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/pkoukk/tiktoken-go-loader/assets"
)

// source is a published vocabulary file.
type source struct {
	name   string
	sha256 string
}

// sources leaves out r50k_base: it is the first 50,256 tokens of p50k_base, which is checked.
var sources = []source{
	{"o200k_base", "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"},
	{"cl100k_base", "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"},
	{"p50k_base", "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069"},
}

func main() {
	log.SetFlags(0)
	unicodeData := flag.String("unicode", "", "path of UnicodeData.txt, version 16.0.0")
	out := flag.String("out", "../data", "folder to write to")
	flag.Parse()

	for _, src := range sources {
		if err := writeVocabulary(src, *out); err != nil {
			log.Fatalf("%s: %v", src.name, err)
		}
	}
	if *unicodeData == "" {
		return
	}
	if err := writeClasses(*unicodeData, filepath.Join(*out, "unicode.classes")); err != nil {
		log.Fatalf("unicode: %v", err)
	}
}

func writeVocabulary(src source, out string) error {
	published, err := assets.Assets.ReadFile(src.name + ".tiktoken")
	if err != nil {
		return err
	}
	vocab, err := parseVocabulary(published, src.sha256)
	if err != nil {
		return err
	}
	list, err := vocab.mergeList()
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d tokens, %d bytes\n", src.name, len(vocab.rank), len(list))
	return os.WriteFile(filepath.Join(out, src.name+".merges"), list, 0o644)
}
