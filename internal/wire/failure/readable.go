package failure

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxMessage = 300 // runes of a message
	maxLabel   = 100 // runes of a code, a type and the like
)

// readable makes a text fit for an error message: one line, printable, short, without keys.
func readable(text string) string { return clip(withoutKeys(oneLine(text)), maxMessage) }

func label(text string) string { return clip(withoutKeys(oneLine(text)), maxLabel) }

// oneLine turns every run of white space and unprintable characters into one blank.
func oneLine(text string) string {
	blank := func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == utf8.RuneError }
	return strings.Join(strings.FieldsFunc(text, blank), " ")
}

// clip cuts a text to a number of runes.
func clip(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	end := 0
	for range most - 1 {
		_, size := utf8.DecodeRuneInString(text[end:])
		end += size
	}
	return text[:end] + "…"
}

// keyPrefixes begin the API keys of providers, some of which repeat the key that they refuse.
var keyPrefixes = []string{"sk-", "sk_", "gsk_", "xai-", "pplx-", "AIza", "hf_", "r8_", "nvapi-", "fw_", "key-", "csk-"}

// minSecret is the length from which a word with such a beginning is taken for a key.
const minSecret = 12

// withoutKeys hides words that look like API keys.
func withoutKeys(text string) string {
	for _, prefix := range keyPrefixes {
		for from := 0; ; {
			i := strings.Index(text[from:], prefix)
			if i < 0 {
				break
			}
			start := from + i
			end := start + wordLen(text[start:])
			from = start + len(prefix)
			if begins := start == 0 || !isWordByte(text[start-1]); begins && end-start >= minSecret {
				text = text[:start] + prefix + "***" + text[end:]
			}
		}
	}
	return text
}

func wordLen(text string) int {
	i := 0
	for i < len(text) && isWordByte(text[i]) {
		i++
	}
	return i
}

// isWordByte says whether c can be part of a key, asterisks of a masked one included.
func isWordByte(c byte) bool {
	return c == '-' || c == '_' || c == '*' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// htmlTitle is what a page that a proxy answered with calls itself.
func htmlTitle(body []byte) string {
	const none = "HTML page"
	body = body[:min(len(body), maxRawMessage)]
	lower := bytes.ToLower(body)
	if len(lower) != len(body) { // lower case of other lengths: the offsets would not fit
		return none
	}
	start := bytes.Index(lower, []byte("<title"))
	if start < 0 {
		return none
	}
	open := bytes.IndexByte(lower[start:], '>')
	if open < 0 {
		return none
	}
	start += open + 1
	end := bytes.Index(lower[start:], []byte("</title"))
	if end < 0 {
		return none
	}
	if title := readable(string(body[start : start+end])); title != "" {
		return title
	}
	return none
}
