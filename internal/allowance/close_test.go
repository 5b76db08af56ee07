package allowance

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farebox-go/farebox/store"
)

// TestEndsAfterClose: what a hold did not need comes back although the pool was closed before it ended, and what it cost
// beyond is booked.
func TestEndsAfterClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(store.Memory)
		p := New(s, "process")
		var less, more Hold
		for _, h := range []*Hold{&less, &more} {
			if err := p.Take(ctx, h, []Posting{posting("a", 1000, 100)}); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if err := p.Close(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if got := used(t, s, "a"); got != 200 {
			t.Errorf("with two calls in flight the store counts %d, want 200", got)
		}
		less.End(30)
		more.End(150)
		synctest.Wait()
		if got := used(t, s, "a"); got != 180 {
			t.Errorf("once they have ended the store counts %d, want 180", got)
		}
		less.Correct(10)
		synctest.Wait()
		if got := used(t, s, "a"); got != 160 {
			t.Errorf("corrected, the store counts %d, want 160", got)
		}
	})
}

// TestCloseInTheMiddle: a Close whose time runs out while a message is under way leaves nothing behind that it brings.
func TestCloseInTheMiddle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slow{Store: new(store.Memory), delay: 3 * time.Second}
		p := New(s, "process")
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		var h Hold
		if err := p.Take(short, &h, []Posting{posting("a", 1000, 100)}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if err := p.Close(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v", err)
		}
		if err := p.Take(ctx, &h, []Posting{posting("a", 1000, 100)}); !errors.Is(err, ErrClosed) {
			t.Errorf("Take after Close: %v", err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := used(t, s, "a"); got != 0 {
			t.Errorf("the store counts %d, want 0", got)
		}
	})
}

// deaf is a store whose answers are lost as long as it is told to.
type deaf struct {
	store.Store
	lose bool
}

func (s *deaf) Sync(ctx context.Context, client string, lines []store.Line) (store.Reply, error) {
	reply, err := s.Store.Sync(ctx, client, lines)
	if s.lose {
		return store.Reply{}, errLost
	}
	return reply, err
}

// TestCloseAfterLostAnswers: Close returns what was granted without being heard of.
func TestCloseAfterLostAnswers(t *testing.T) {
	t.Parallel()
	s := &deaf{Store: new(store.Memory), lose: true}
	p := New(s, "process")
	var h Hold
	if err := p.Take(ctx, &h, []Posting{posting("a", 1000, 100)}); !errors.Is(err, store.ErrUnavailable) {
		t.Fatal(err)
	}
	if got := used(t, s, "a"); got < 100 {
		t.Fatalf("nothing was granted: %d", got)
	}
	s.lose = false
	if err := p.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if got := used(t, s, "a"); got != 0 {
		t.Errorf("after Close the store counts %d, want 0", got)
	}
}
