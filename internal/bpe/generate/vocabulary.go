package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
)

// vocabulary is a published token table. Identifiers and ranks are the same numbers.
type vocabulary struct {
	tokens []string // by identifier, empty where the identifier is unused
	rank   map[string]int
}

// parseVocabulary reads a .tiktoken file: one token per line, its bytes in base64, a space, its rank.
func parseVocabulary(published []byte, wantSum string) (*vocabulary, error) {
	sum := sha256.Sum256(published)
	if got := hex.EncodeToString(sum[:]); got != wantSum {
		return nil, fmt.Errorf("SHA-256 is %s, want %s", got, wantSum)
	}
	v := &vocabulary{rank: make(map[string]int)}
	for line := range bytes.Lines(published) {
		encoded, number, ok := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
		if !ok {
			continue
		}
		token, err := base64.StdEncoding.DecodeString(string(encoded))
		if err != nil {
			return nil, err
		}
		rank, err := strconv.Atoi(string(number))
		if err != nil {
			return nil, err
		}
		for len(v.tokens) <= rank {
			v.tokens = append(v.tokens, "")
		}
		v.tokens[rank] = string(token)
		v.rank[string(token)] = rank
	}
	return v, nil
}

// mergeList writes the vocabulary as the merges that build it. The first 256 bytes are the single-byte tokens in
// order of identifier. Every later identifier is the uvarint of its left part and that of its right part, both
// smaller than itself; an unused identifier is the uvarint of itself alone.
func (v *vocabulary) mergeList() ([]byte, error) {
	var list []byte
	for id, token := range v.tokens {
		switch {
		case id < 256 && len(token) == 1:
			list = append(list, token[0])
		case id < 256 || len(token) == 1:
			return nil, fmt.Errorf("token %d is %q: single bytes must come first", id, token)
		case token == "":
			list = binary.AppendUvarint(list, uint64(id))
		default:
			left, right, err := v.split(token, id)
			if err != nil {
				return nil, err
			}
			list = binary.AppendUvarint(list, uint64(left))
			list = binary.AppendUvarint(list, uint64(right))
		}
	}
	return list, nil
}

// split finds the last merge of a token: what byte-pair encoding leaves of it when only earlier tokens exist.
// That these are always two parts is what lets merges of identifiers stand for merges of byte strings.
func (v *vocabulary) split(token string, id int) (left, right int, err error) {
	parts := make([]string, len(token))
	for i := range parts {
		parts[i] = token[i : i+1]
	}
	for {
		best, at := id, -1
		for i := 0; i+1 < len(parts); i++ {
			if rank, ok := v.rank[parts[i]+parts[i+1]]; ok && rank < best {
				best, at = rank, i
			}
		}
		if at < 0 {
			break
		}
		parts[at] += parts[at+1]
		parts = append(parts[:at+1], parts[at+2:]...)
	}
	if len(parts) != 2 {
		return 0, 0, fmt.Errorf("token %d (%q) is left in %d parts", id, token, len(parts))
	}
	return v.rank[parts[0]], v.rank[parts[1]], nil
}
