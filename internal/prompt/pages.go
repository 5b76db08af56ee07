package prompt

import (
	"bytes"
	"encoding/base64"
)

const (
	pageSearch = 32 << 20 // bytes of a file, as base64, that are searched for pages; larger ones are refused everywhere
	pageChunk  = 6 << 10  // bytes that are decoded at a time; a multiple of three
)

// pagesOf counts the pages of a PDF that is part of the body, 0 where it is none or keeps the list of them packed.
func pagesOf(data text) (pages int64) {
	raw := data.raw
	if i := bytes.IndexByte(raw[:min(len(raw), 256)], ','); i >= 0 {
		raw = raw[i+1:]
	}
	const magic = "JVBERi" // %PDF
	if !bytes.HasPrefix(raw, []byte(magic)) || data.escaped || len(raw) > pageSearch {
		return 0
	}
	var room [pageChunk + pageMark]byte
	kept := 0 // bytes from the chunk before
	for len(raw) > 0 {
		part := raw[:min(len(raw)/4*4, pageChunk/3*4)]
		if len(part) == 0 {
			break
		}
		raw = raw[len(part):]
		n, err := base64.StdEncoding.Decode(room[kept:], part)
		found, rest := countPages(room[:kept+n], len(raw) < 4)
		pages += found
		kept = copy(room[:], room[kept+n-rest:kept+n])
		if err != nil {
			break
		}
	}
	return pages
}

// pageMark is the most bytes that a page's mark takes, which may be cut between two chunks.
const pageMark = 24

// countPages counts the marks of pages, /Type /Page, in part of a file. rest is how many bytes of it have to be seen again
// with what follows.
func countPages(part []byte, last bool) (pages int64, rest int) {
	for {
		i := bytes.Index(part, []byte("/Type"))
		if i < 0 {
			return pages, min(len(part), len("/Type")-1)
		}
		if !last && i+pageMark > len(part) {
			return pages, len(part) - i
		}
		part = part[i+len("/Type"):]
		name := bytes.TrimLeft(part[:min(len(part), pageMark-len("/Type"))], " \r\n\t")
		if after, ok := bytes.CutPrefix(name, []byte("/Page")); ok && (len(after) == 0 || !isLetter(after[0])) {
			pages++
		}
	}
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
