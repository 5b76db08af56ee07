package farebox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farebox-go/farebox"
)

// heard collects events.
type heard struct {
	mu     sync.Mutex
	events []farebox.Event
}

func (h *heard) hear(e farebox.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
}

// kinds lists what was heard: kind, budget, and what there is to say of it.
func (h *heard) kinds() (all []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		all = append(all, strings.TrimSpace(fmt.Sprint(e.Kind, " ", e.Budget, e.Value, " ", max(e.Percent, e.Repeats), e.Reason)))
	}
	return all
}

// ofKind are the events of a kind.
func (h *heard) ofKind(kind farebox.EventKind) (all []farebox.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		if e.Kind == kind {
			all = append(all, e)
		}
	}
	return all
}

func TestEvents(t *testing.T) {
	t.Parallel()
	var h heard
	meter := coinMeter(t, &coinProvider{}, farebox.WithEvents(h.hear), farebox.WithBudget(
		farebox.Budget{Name: "all", Cap: farebox.Cents(100), Thresholds: []int{50, 90}},
		farebox.Budget{Name: "each", Cap: farebox.Cents(60), Per: "user", Thresholds: []int{100}},
		farebox.Budget{Name: "quiet", Tokens: 1 << 40, Thresholds: []int{}}))
	ann := farebox.Tags{"user": "ann"}
	mustSpend(t, meter, coinCall{limit: 50, tokens: 50, tags: ann})
	mustSpend(t, meter, coinCall{limit: 10, tokens: 10, tags: ann})
	mustRefuse(t, meter, coinCall{limit: 1, tags: ann})
	mustSpend(t, meter, coinCall{limit: 5, tokens: 45, tags: farebox.Tags{"user": "bob"}})
	must(t, meter.Close(t.Context()))
	want := []string{"threshold all 50", "threshold eachann 100", "refusal eachann 0exhausted", "threshold all 90", "overrun all 0"}
	if got := h.kinds(); !slices.Equal(got, want) {
		t.Errorf("heard %q, want %q", got, want)
	}
	overrun := h.events[4]
	if overrun.Cost != farebox.Cents(45) || overrun.Receipt == "" || h.events[2].Tags["user"] != "ann" || h.events[0].Spent != farebox.Cents(50) {
		t.Errorf("%+v", h.events)
	}
	if meter.DroppedEvents() != 0 {
		t.Errorf("%d dropped", meter.DroppedEvents())
	}
}

// A handler that hangs holds up nobody, and what it misses is counted.
func TestSlowEventHandler(t *testing.T) {
	t.Parallel()
	block := make(chan struct{})
	meter := coinMeter(t, &coinProvider{}, farebox.WithEvents(func(farebox.Event) { <-block }),
		farebox.WithBudget(farebox.Budget{Name: "none"}))
	for range 1100 {
		mustRefuse(t, meter, coinCall{limit: 1})
	}
	if n := meter.DroppedEvents(); n < 70 || n > 80 {
		t.Errorf("%d of 1,100 dropped, with room for 1,024", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := meter.Close(ctx); err == nil {
		t.Error("Close says nothing of events that were not handled")
	}
	close(block)
}

func TestLoopDetection(t *testing.T) {
	t.Parallel()
	var h heard
	meter := coinMeter(t, &coinProvider{}, farebox.WithEvents(h.hear), farebox.WithLoopDetection(3, time.Hour))
	for i := range 7 {
		mustSpend(t, meter, coinCall{limit: 5, tokens: 1})
		mustSpend(t, meter, coinCall{limit: int64(100 + i), tokens: 1})
	}
	must(t, meter.Close(t.Context()))
	if got := h.kinds(); !slices.Equal(got, []string{"loop  3"}) {
		t.Errorf("heard %q", got)
	}
	for _, option := range []farebox.MeterOption{
		farebox.WithLoopDetection(1, time.Hour), farebox.WithLoopDetection(2, 0), farebox.WithEvents(nil),
		farebox.WithWebhook("ftp://x", "s"), farebox.WithWebhook("https://x", ""),
	} {
		if _, err := farebox.NewMeter(option); err == nil {
			t.Error("a bad option was taken")
		}
	}
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	const secret = "whsec-1"
	var h heard
	var tries int
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		tries++
		body, err := io.ReadAll(r.Body)
		signed := r.Header.Get(farebox.SignatureHeader)
		if err != nil || !farebox.VerifySignature(secret, signed, body, time.Minute) {
			t.Errorf("signature %q of %s", signed, body)
		}
		for name, ok := range map[string]bool{
			"another secret": farebox.VerifySignature("whsec-2", signed, body, time.Minute),
			"another body":   farebox.VerifySignature(secret, signed, append(body, ' '), time.Minute),
			"an old one":     farebox.VerifySignature(secret, "t=1000,v1="+strings.Repeat("00", 32), body, time.Minute),
			"none":           farebox.VerifySignature(secret, "", body, time.Minute),
		} {
			if ok {
				t.Errorf("%s was taken", name)
			}
		}
		if tries == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var e farebox.Event
		if err := json.Unmarshal(body, &e); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		h.hear(e)
	})
	meter := coinMeter(t, &coinProvider{}, farebox.WithWebhook(server.URL+"/hook", secret), farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Cents(1)}))
	mustRefuse(t, meter, coinCall{limit: 2})
	must(t, meter.Close(t.Context()))
	if got := h.kinds(); tries != 2 || !slices.Equal(got, []string{"refusal b 0exhausted"}) {
		t.Errorf("%d tries, heard %q", tries, got)
	}
}
