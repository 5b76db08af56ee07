package usage

import "strconv"

// Named is a count that stands by itself in an answer, or in its head, under the name that it has there.
type Named struct {
	Name  string
	Count int64
}

// Gather writes an object of counts that stand by themselves, those of 0 left out: what [wire.Answer] keeps as the raw usage
// where a provider has no usage object.
func Gather(dst []byte, counts ...Named) []byte {
	dst = append(dst[:0], '{')
	for _, c := range counts {
		if c.Count == 0 {
			continue
		}
		if len(dst) > 1 {
			dst = append(dst, ',')
		}
		dst = append(strconv.AppendQuote(dst, c.Name), ':')
		dst = strconv.AppendInt(dst, c.Count, 10)
	}
	return append(dst, '}')
}
