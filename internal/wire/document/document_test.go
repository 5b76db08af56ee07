package document_test

import (
	"bytes"
	"testing"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/document"
)

// What the test's documents are searched for.
const (
	wantID = iota
	wantError
	wantItems
	wantText
)

var plan = document.MustPlan(wantText,
	jsonwalk.Want{Path: "id", Limit: 16},
	jsonwalk.Want{Path: "error", Limit: 64},
	jsonwalk.Want{Path: "items[]", Limit: jsonwalk.CountValues},
	jsonwalk.Want{Path: "text"},
)

type reading struct {
	wire.Answer
	items int64
}

func (r *reading) Result() *wire.Answer { return &r.Answer }

func (r *reading) Collect(found document.Found) {
	found.Text(wantID, &r.ID)
	found.Fail(wantError, &r.Answer)
	r.items = found.Counted(wantItems)
}

// TestBody: what a body says so far may be asked for at any time, and is not counted twice.
func TestBody(t *testing.T) {
	t.Parallel()
	r := &reading{}
	b := document.NewBody(plan, r)
	b.Write([]byte(`{"id":"a\u0062","text":"abc","items":[1,{"x":2}`))
	for range 2 {
		if a := b.Answer(); a.ID != "ab" || a.TextBytes != 3 || a.Done || r.items != 2 {
			t.Errorf("%+v, %d items", a, r.items)
		}
	}
	b.Write([]byte(`],"text":"d"}`))
	if a := b.Answer(); a.TextBytes != 4 || !a.Done {
		t.Errorf("%+v", a)
	}
}

// TestStream: text adds up over events, and an event leaves nothing to the next.
func TestStream(t *testing.T) {
	t.Parallel()
	r := &reading{}
	s := document.NewStream(plan, r)
	for _, event := range []string{`{"id":"a","text":"abc","items":[1,2]}`, `{"text":"de`, `not JSON`, ``, `{"id":7,"text":"f"}`} {
		if s.Event(nil, []byte(event)) {
			t.Errorf("%s is usage only", event)
		}
	}
	if a := s.Answer(); a.ID != "7" || a.TextBytes != 3+2+1 || r.items != 0 {
		t.Errorf("%+v, %d items", a, r.items)
	}
}

func TestFail(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]string{
		`{"error":null}`: "", `{"error":{}}`: "", `{"error":false}`: "", `{}`: "",
		`{"error":"busy"}`: "busy", `{"error":{"message":"busy"}}`: "busy",
		`{"error":"` + string(bytes.Repeat([]byte{'x'}, 100)) + `"}`: "an error too large to be read",
	} {
		if got := message(document); got != want {
			t.Errorf("%s: %q, want %q", document, got, want)
		}
	}
}

func message(text string) string {
	b := document.NewBody(plan, &reading{})
	b.Write([]byte(text))
	if err := b.Answer().Err; err != nil {
		return err.Message
	}
	return ""
}

// TestMemory: a body takes no more memory the longer it is.
func TestMemory(t *testing.T) {
	b := document.NewBody(plan, &reading{})
	b.Write([]byte(`{"text":"`))
	piece := bytes.Repeat([]byte("a line of text "), 1<<10)
	b.Write(piece)
	if n := testing.AllocsPerRun(200, func() { b.Write(piece); b.Answer() }); n != 0 {
		t.Errorf("%v allocations for each piece", n)
	}
}
