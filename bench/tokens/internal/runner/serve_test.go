package runner

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// kept keeps alive what the counter under test loads.
var kept []byte

func open(encoding string) (Count, error) {
	if encoding != "bytes" {
		return nil, errors.New("no such encoding")
	}
	kept = make([]byte, 1<<20)
	return func(text string) int {
		kept = append(kept[:0:0], text...)
		return len(text)
	}, nil
}

// serve answers the lines of input.
func serve(t *testing.T, input string) []Reply {
	t.Helper()
	var out strings.Builder
	if err := Serve(strings.NewReader(input), &out, open); err != nil {
		t.Fatal(err)
	}
	var replies []Reply
	for lines := json.NewDecoder(strings.NewReader(out.String())); lines.More(); {
		var reply Reply
		if err := lines.Decode(&reply); err != nil {
			t.Fatal(err)
		}
		replies = append(replies, reply)
	}
	return replies
}

func TestServe(t *testing.T) {
	got := serve(t, `{"op":"open","encoding":"bytes"}
		{"op":"text","text":"naïve"}
		{"op":"measure","times":100}`)
	if len(got) != 3 {
		t.Fatalf("%d replies: %v", len(got), got)
	}
	for i, tokens := range []int{1, 6, 6} {
		if got[i].Error != "" || got[i].Tokens != tokens || got[i].NS <= 0 {
			t.Errorf("reply %d: %+v, want %d tokens", i, got[i], tokens)
		}
	}
	if got[2].Allocs < 100 || got[2].Bytes < 600 {
		t.Errorf("100 times a copy of the text: %+v", got[2])
	}
}

func TestServeSaysWhatIsWrong(t *testing.T) {
	got := serve(t, `{"op":"text","text":"too early"}
		{"op":"measure","times":1}
		{"op":"open","encoding":"runes"}
		{"op":"open","encoding":"bytes"}
		{"op":"measure"}
		{"op":"guess"}`)
	want := []string{"no encoding", "no encoding", "no such encoding", "", "0 times", `"guess"`}
	if len(got) != len(want) {
		t.Fatalf("%d replies: %v", len(got), got)
	}
	for i := range want {
		if !strings.Contains(got[i].Error, want[i]) || (want[i] == "") != (got[i].Error == "") {
			t.Errorf("reply %d: error %q, want %q", i, got[i].Error, want[i])
		}
	}
}

func TestServeCutOff(t *testing.T) {
	var out strings.Builder
	if err := Serve(strings.NewReader(`{"op":"op`), &out, open); err == nil {
		t.Error("half a request is no error")
	}
	if err := Serve(strings.NewReader(`{"op":"open"}`), failingWriter{}, open); err == nil {
		t.Error("a reply that cannot be written is no error")
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("closed") }
