package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// The classes are single bits, in the order that package bpe knows them.
const (
	upper byte = 1 << iota
	lower
	letter
	mark
	number
	space
	newline
	other
)

const (
	runes    = 0x110000
	pageSize = 256
)

// writeClasses writes a two-level table: for every page of 256 code points the number of its content, then the
// contents, one byte per code point, equal ones once.
func writeClasses(unicodeData, path string) error {
	classes, err := readClasses(unicodeData)
	if err != nil {
		return err
	}
	var index, contents []byte
	numbers := make(map[string]byte)
	for at := 0; at < runes; at += pageSize {
		page := string(classes[at : at+pageSize])
		number, ok := numbers[page]
		if !ok {
			if len(numbers) == 256 {
				return fmt.Errorf("more than 256 different pages")
			}
			number = byte(len(numbers))
			numbers[page] = number
			contents = append(contents, page...)
		}
		index = append(index, number)
	}
	fmt.Printf("unicode: %d pages, %d bytes\n", len(numbers), len(index)+len(contents))
	return os.WriteFile(path, append(index, contents...), 0o644)
}

// readClasses gives the class of every code point. UnicodeData.txt writes large blocks as their first and last member.
func readClasses(unicodeData string) ([]byte, error) {
	file, err := os.Open(unicodeData)
	if err != nil {
		return nil, err
	}
	defer file.Close()

	classes := make([]byte, runes)
	for i := range classes {
		classes[i] = other
	}
	first := -1
	for lines := bufio.NewScanner(file); ; {
		if !lines.Scan() {
			return withSpaces(classes), lines.Err()
		}
		fields := strings.SplitN(lines.Text(), ";", 4)
		if len(fields) < 3 {
			return nil, fmt.Errorf("line %q: too few fields", lines.Text())
		}
		code, err := strconv.ParseUint(fields[0], 16, 21)
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(fields[1], ", First>") {
			first = int(code)
			continue
		}
		if first < 0 {
			first = int(code)
		}
		for ; first <= int(code); first++ {
			classes[first] = classOf(fields[2])
		}
		first = -1
	}
}

func classOf(category string) byte {
	switch category {
	case "Lu", "Lt":
		return upper
	case "Ll":
		return lower
	case "Lm", "Lo":
		return letter
	case "Mn", "Mc", "Me":
		return mark
	case "Nd", "Nl", "No":
		return number
	case "Zs", "Zl", "Zp":
		return space
	}
	return other
}

// withSpaces adds the control characters that have the White_Space property; no other character outside the
// separator categories has it.
func withSpaces(classes []byte) []byte {
	for _, r := range "\t\v\f\u0085" {
		classes[r] = space
	}
	for _, r := range "\r\n" {
		classes[r] = newline
	}
	return classes
}
