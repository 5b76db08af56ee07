package framing

import (
	"slices"
	"testing"

	"github.com/farebox-go/farebox/internal/eventstream"
)

func TestOfContentType(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]Framing{
		"": None, "application/json": None, "text/plain": None, "application/json; charset=UTF-8": None,
		"text/event-stream": ServerSent, "text/event-stream; charset=utf-8": ServerSent, "Text/Event-Stream;x": ServerSent,
		"application/vnd.amazon.eventstream": AWS,
		"application/x-ndjson":               Lines, "application/stream+json": Lines, "application/jsonl; charset=utf-8": Lines,
	} {
		if got := OfContentType(header); got != want {
			t.Errorf("%q: %d, want %d", header, got, want)
		}
	}
}

// TestParsers: each framing finds the same event.
func TestParsers(t *testing.T) {
	t.Parallel()
	for framing, stream := range map[Framing]string{
		ServerSent: "data: {}\n\n", None: "data: {}\n\n", Lines: "{}\n", JSONElements: "[{}]",
	} {
		var events []string
		p := framing.New(0)
		deliver := func(_, data []byte) { events = append(events, string(data)) }
		p.Write([]byte(stream), deliver)
		p.Close(deliver)
		if !slices.Equal(events, []string{"{}"}) || p.Skipped() != 0 {
			t.Errorf("framing %d: %q", framing, events)
		}
	}
	if _, ok := AWS.New(0).(*eventstream.Parser); !ok {
		t.Error("AWS's framing has another parser")
	}
}

func TestOfBeginning(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		first byte
		asked bool
		want  Framing
	}{
		{'{', true, None}, {'{', false, None}, {'[', false, None}, {'[', true, JSONElements}, {0, true, AWS}, {'d', false, ServerSent}, {':', true, ServerSent},
	} {
		if got := OfBeginning(c.first, c.asked); got != c.want {
			t.Errorf("%q, asked %v: %d, want %d", c.first, c.asked, got, c.want)
		}
	}
}
