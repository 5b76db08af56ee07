package attempts

import (
	"encoding/json"
	"strconv"
)

// This file writes the two records that every call costs, without reflection: as encoding/json would, which reads them.

func appendOpened(dst []byte, a *Attempt) []byte {
	dst = append(dst, `{"opened":{"id":`...)
	dst = appendString(dst, a.ID)
	if len(a.Receipt) > 0 {
		dst = append(append(dst, `,"receipt":`...), a.Receipt...)
	}
	if len(a.Postings) > 0 {
		dst = append(dst, `,"on":[`...)
		for i := range a.Postings {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = a.Postings[i].append(dst)
		}
		dst = append(dst, ']')
	}
	if a.kind != "" {
		dst = appendString(append(dst, `,"kind":`...), a.kind)
	}
	return append(dst, "}}"...)
}

func (p *Posting) append(dst []byte) []byte {
	dst = appendString(append(dst, `{"Key":`...), p.Key)
	dst = strconv.AppendInt(append(dst, `,"Window":{"Start":`...), p.Window.Start, 10)
	dst = strconv.AppendInt(append(dst, `,"End":`...), p.Window.End, 10)
	dst = strconv.AppendInt(append(dst, `,"View":`...), p.Window.View, 10)
	dst = strconv.AppendInt(append(dst, `},"Amount":`...), p.Amount, 10)
	dst = strconv.AppendInt(append(dst, `,"Place":`...), int64(p.Place), 10)
	dst = strconv.AppendBool(append(dst, `,"Money":`...), p.Money)
	return append(dst, '}')
}

func appendEnded(dst []byte, r *endedRecord) []byte {
	dst = appendString(append(dst, `{"ended":{"id":`...), r.ID)
	if len(r.Booked) > 0 {
		dst = append(dst, `,"booked":[`...)
		for i, amount := range r.Booked {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = strconv.AppendInt(dst, amount, 10)
		}
		dst = append(dst, ']')
	}
	if r.Settled {
		dst = append(dst, `,"settled":true`...)
	}
	return append(dst, "}}"...)
}

// appendString quotes a string; where anything in it has to be escaped it leaves that to encoding/json.
func appendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string cannot fail
			return append(dst, quoted...)
		}
	}
	dst = append(append(dst, '"'), s...)
	return append(dst, '"')
}
