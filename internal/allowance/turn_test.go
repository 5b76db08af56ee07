package allowance

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/farebox-go/farebox/store"
)

// TestWindowThatIsGone: what cost more than was held, in a window that the store no longer keeps, holds up nothing else.
func TestWindowThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, warned := new(store.Memory), 0
		p := New(s, "process", Warn(func(error) { warned++ }))
		defer p.kill()
		day := func(start time.Time) Posting {
			w := store.Window{Start: start.UnixNano(), End: start.Add(time.Hour).UnixNano(), View: start.UnixNano()}
			return Posting{Account: store.Account{Key: "day", Window: w}, Cap: 100, Amount: 10}
		}
		now := time.Now()
		var late, h, next Hold
		if err := p.Take(ctx, &late, []Posting{day(now)}); err != nil {
			t.Fatal(err)
		}
		if err := p.Take(ctx, &h, []Posting{posting("total", 100, 50)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if err := p.Take(ctx, &next, []Posting{day(now.Add(time.Hour))}); err != nil {
			t.Fatal(err)
		}
		late.End(15) // in a window that the store has dropped
		h.End(0)
		time.Sleep(time.Minute)
		if got := used(t, s, "total"); got != 0 {
			t.Errorf("the store counts %d: what is idle has not come back", got)
		}
		if warned > 2 {
			t.Errorf("%d warnings", warned)
		}
	})
}
