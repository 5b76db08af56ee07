package bpe

import (
	"encoding/base64"
	"encoding/hex"
	"math/rand/v2"
	"strings"
)

// hostile gives texts of about n bytes that make one piece, or that no vocabulary covers well.
func hostile(n int) map[string]string {
	rng := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, n)
	lower := make([]byte, n)
	digits := make([]byte, n)
	var unicode, han strings.Builder
	for i := range n {
		noise[i] = byte(rng.Uint32())
		lower[i] = 'a' + byte(rng.IntN(26))
		digits[i] = '0' + byte(rng.IntN(10))
	}
	for unicode.Len() < n {
		unicode.WriteRune(rune(rng.IntN(0x110000)))
	}
	for han.Len() < n {
		han.WriteRune(rune(0x4e00 + rng.IntN(0x5200)))
	}
	repeat := func(s string) string { return strings.Repeat(s, n/len(s)) }
	return map[string]string{
		"a":             repeat("a"),
		"A":             repeat("A"),
		"caret":         repeat("^"),
		"spaces":        repeat(" "),
		"spaces-x":      repeat(" ") + "x",
		"tabs":          repeat("\t"),
		"newlines":      repeat("\n"),
		"blank-lines":   repeat("\n "),
		"ab":            repeat("ab"),
		"one-han":       repeat("中"),
		"marks":         repeat("\u0301"),
		"camel":         repeat("aB"),
		"emoji":         repeat("👩‍💻"),
		"quotes":        repeat("'"),
		"lower":         string(lower),
		"digits":        string(digits),
		"bytes":         string(noise),
		"nul":           repeat("\x00"),
		"base64":        base64.StdEncoding.EncodeToString(noise[:n*3/4]),
		"base64-letter": strings.Map(onlyLetters, base64.StdEncoding.EncodeToString(noise)),
		"hex":           hex.EncodeToString(noise[:n/2]),
		"unicode":       unicode.String(),
		"han":           han.String(),
		"invalid":       repeat("\xff"),
		"surrogates":    repeat("\xed\xa0\x80"),
	}
}

func onlyLetters(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
		return r
	}
	return -1
}
