package jsonwalk

import (
	"errors"
	"slices"
	"strconv"
)

// ErrNotObject is returned by [Set] where a value that has to be an object is another.
var ErrNotObject = errors.New("jsonwalk: a value that ought to be an object is none")

// Set returns a copy of a document in which the member that a path of names leads to has a value, which is given as it is
// to be written. Objects that are missing or null on the way are made. A member that stands more than once is set each
// time, since readers differ on which one counts. Every other byte stays as it was.
func Set(document []byte, value string, path ...string) ([]byte, error) {
	found, end, err := members(document, path[0])
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		comma := ","
		if document[end-1] == '{' {
			comma = ""
		}
		return slices.Concat(document[:end], []byte(comma+nested(value, path)), document[end:]), nil
	}
	for _, at := range slices.Backward(found) { // so that what comes before stays where it is
		written := []byte(value)
		if old := document[at.from:at.to]; len(path) > 1 && string(old) == "null" {
			written = []byte("{" + nested(value, path[1:]) + "}")
		} else if len(path) > 1 {
			if written, err = Set(old, value, path[1:]...); err != nil {
				return nil, err
			}
		}
		document = slices.Concat(document[:at.from], written, document[at.to:])
	}
	return document, nil
}

// Find returns the value of the member that a path of names leads to, as it is written; of several, the last one's. Nil
// where there is none, or where the document is broken.
func Find(document []byte, path ...string) []byte {
	for _, name := range path {
		found, _, err := members(document, name)
		if err != nil || len(found) == 0 {
			return nil
		}
		last := found[len(found)-1]
		document = document[last.from:last.to]
	}
	return document
}

type stretch struct{ from, to int }

// members finds the values of a name in an object, and where another member can be put in: behind the last one or,
// where there is none, behind the opening bracket.
func members(document []byte, name string) (found []stretch, end int, err error) {
	r := NewReader(document)
	if !r.Object() {
		return nil, 0, ErrNotObject
	}
	end = r.pos
	for r.Member() {
		wanted := string(r.Key()) == name
		from := r.Offset()
		to := from + len(r.Raw())
		if end = to; wanted {
			found = append(found, stretch{from, to})
		}
	}
	r.End()
	return found, end, r.Err()
}

// nested writes a member of a path of names.
func nested(value string, path []string) string {
	for _, name := range slices.Backward(path[1:]) {
		value = "{" + strconv.Quote(name) + ":" + value + "}"
	}
	return strconv.Quote(path[0]) + ":" + value
}
