package farebox

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/farebox-go/farebox/internal/jsonwalk"
)

// mend rewrites the members of an answer that some servers write as another kind of value than go-openai's types take:
//
//   - counts and times as fractions (1.0, 1.7e9) become integers;
//   - a message's content in parts becomes its text, and its thinking becomes reasoning_content (Mistral, Databricks);
//   - a tool call's arguments as an object become text, and a number for its id becomes text (Hugging Face).
//
// ok is false where there is nothing of the kind. The answer as it was sent stays in Raw.
func mend(data []byte) (mended []byte, ok bool) {
	m := mender{data: data, r: jsonwalk.NewReader(data)}
	m.walk("")
	m.r.End()
	if m.r.Err() != nil || m.copied == 0 {
		return nil, false
	}
	return append(m.out, data[m.copied:]...), true
}

// mender copies an answer, with what it replaces.
type mender struct {
	data   []byte
	r      jsonwalk.Reader
	out    []byte
	copied int // how much of data is in out, as it was or replaced
}

// walk goes through a value that is the member parent of its object, or an element of that member.
func (m *mender) walk(parent string) {
	switch m.r.Kind() {
	case jsonwalk.Object:
		for m.r.Object(); m.r.Member(); {
			name := string(m.r.Key())
			if replace := replacement(parent, name, m.r.Kind()); replace != nil {
				from := m.r.Offset()
				raw := m.r.Raw()
				m.put(from, len(raw), replace(raw))
				continue
			}
			m.walk(name)
		}
	case jsonwalk.Array:
		for m.r.Array(); m.r.Element(); {
			m.walk(parent)
		}
	default:
		m.r.Skip()
	}
}

// put writes by in place of a value of n bytes; nil leaves that as it is.
func (m *mender) put(from, n int, by []byte) {
	if by == nil {
		return
	}
	m.out = append(append(m.out, m.data[m.copied:from]...), by...)
	m.copied = from + n
}

// replacement is how a member of a kind is rewritten; nil: not at all.
func replacement(parent, name string, kind jsonwalk.Kind) func(raw []byte) []byte {
	switch {
	case kind == jsonwalk.Number && isCount(name):
		return integerPart
	case kind == jsonwalk.Number && name == "id", kind == jsonwalk.Object && name == "arguments":
		return asText
	case kind == jsonwalk.Array && name == "content" && (parent == "message" || parent == "delta"):
		return plainContent
	}
	return nil
}

func isCount(name string) bool {
	return strings.HasSuffix(name, "tokens") || name == "created" || name == "index"
}

// integerPart writes a number out as an integer, dropping a fraction; nil where it is one already.
func integerPart(raw []byte) []byte {
	if !bytes.ContainsAny(raw, ".eE") {
		return nil
	}
	amount, err := parseScaled(string(raw), 0)
	if err != nil {
		return nil
	}
	whole, _, _ := strings.Cut(strings.TrimPrefix(amount.String(), "$"), ".")
	return []byte(strings.Replace(whole, "-$", "-", 1))
}

// asText writes a value as a string of its JSON.
func asText(raw []byte) []byte {
	text, _ := json.Marshal(string(raw)) // a string always encodes
	return text
}

// plainContent writes content in parts as its text. What the model thought follows as a member of its own.
func plainContent(raw []byte) []byte {
	var text, thought strings.Builder
	r := jsonwalk.NewReader(raw)
	for r.Array(); r.Element(); {
		if !r.Object() {
			continue
		}
		for r.Member() {
			switch string(r.Key()) {
			case "text":
				appendTexts(&text, &r)
			case "thinking", "reasoning", "summary":
				appendTexts(&thought, &r)
			}
		}
	}
	out := asText([]byte(text.String()))
	if thought.Len() > 0 {
		out = append(out, `,"reasoning_content":`...)
		out = append(out, asText([]byte(thought.String()))...)
	}
	return out
}

// appendTexts adds a text, or those of the parts that stand in its place.
func appendTexts(to *strings.Builder, r *jsonwalk.Reader) {
	switch r.Kind() {
	case jsonwalk.String:
		text, _ := r.AppendText(nil)
		to.Write(text)
	case jsonwalk.Array:
		for r.Array(); r.Element(); {
			if !r.Object() {
				continue
			}
			for r.Member() {
				if string(r.Key()) == "text" {
					appendTexts(to, r)
				}
			}
		}
	}
}
