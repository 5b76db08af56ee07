package farebox_test

import (
	"errors"
	"testing"
	"time"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/store"
)

// TestFleetStatus: a process can say what the whole fleet has spent, and hears of it by itself when it spends.
func TestFleetStatus(t *testing.T) {
	t.Parallel()
	for _, window := range []farebox.Window{{}, farebox.Monthly, farebox.Rolling(time.Hour)} {
		t.Run(window.String(), func(t *testing.T) {
			t.Parallel()
			p, shared := dimeProvider(t), new(store.Memory)
			start := func() *farebox.Client {
				return newClient(t, openAIAt(p), dime(), farebox.WithStore(shared), farebox.WithBudget(
					farebox.Budget{Name: "money", Cap: farebox.Dollars(1), Window: window},
					farebox.Budget{Name: "requests", Requests: 100, Window: window},
					farebox.Budget{Name: "each call", Cap: farebox.Dollars(1), Window: farebox.PerCall}))
			}
			one, two := start(), start()
			for range 6 {
				must(t, callDime(one, t.Context()))
			}
			if fleet := two.Meter().Guard().Snapshot()[0].Fleet; fleet != nil {
				t.Errorf("before it has asked a process knows of %+v", fleet)
			}
			asked, err := two.Meter().Guard().FleetSnapshot(t.Context())
			must(t, err)
			if f := asked[0].Fleet; f.Spent.Less(farebox.Cents(60)) || !f.Free.Less(farebox.Cents(41)) || f.Processes != 1 || f.At.IsZero() {
				t.Errorf("asked, the store says %+v", f)
			}
			if f := asked[1].Fleet; f.Counts.Spent < 6 || f.Counts.Cap != 100 || !f.Spent.IsZero() {
				t.Errorf("of requests the store says %+v", f)
			}
			if asked[2].Fleet != nil {
				t.Errorf("a budget per call is in a store: %+v", asked[2].Fleet)
			}
			must(t, callDime(two, t.Context()))
			s := two.Meter().Guard().Snapshot()[0]
			if s.Spent != farebox.Cents(10) || s.Fleet == nil || s.Fleet.Spent.Less(farebox.Cents(70)) || s.Fleet.Processes != 2 {
				t.Errorf("after a call: %s spent here, and of the fleet %+v", s.Spent, s.Fleet)
			}
			must(t, one.Close(t.Context())) // returns what it had borrowed, so that figures are exact
			exact, err := two.Meter().Guard().FleetSnapshot(t.Context())
			must(t, err)
			if f := exact[0].Fleet; f.Spent != farebox.Cents(70) || f.Free != farebox.Cents(30) {
				t.Errorf("with all of it returned the fleet has spent %s, and %s are free; want $0.70 and $0.30", f.Spent, f.Free)
			}
			if f := exact[1].Fleet; f.Counts.Spent != 7 || f.Counts.Free != 93 {
				t.Errorf("with all of it returned the fleet has sent %+v", f.Counts)
			}
		})
	}
}

func TestFleetSnapshotWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	shared := &outage{Store: new(store.Memory)}
	budget := farebox.WithBudget(farebox.Budget{Name: "total", Cap: farebox.Dollars(1)})
	client := newClient(t, openAIAt(dimeProvider(t)), dime(), farebox.WithStore(shared), budget)
	shared.down.Store(true)
	if _, err := client.Meter().Guard().FleetSnapshot(t.Context()); !errors.Is(err, farebox.ErrStoreUnavailable) || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("with the store away: %v", err)
	}
	alone := newClient(t, openAIAt(dimeProvider(t)), dime(), budget)
	all, err := alone.Meter().Guard().FleetSnapshot(t.Context())
	if err != nil || len(all) != 1 || all[0].Fleet != nil {
		t.Errorf("without a store: %+v, %v", all, err)
	}
}

// TestThresholdOfTheFleet: a share of a shared cap is heard of when the fleet has reached it, from the process that spends
// next, though its own part is small; once a window.
func TestThresholdOfTheFleet(t *testing.T) {
	t.Parallel()
	for _, window := range []farebox.Window{{}, farebox.Monthly, farebox.Rolling(time.Hour)} {
		t.Run(window.String(), func(t *testing.T) {
			t.Parallel()
			p, shared := dimeProvider(t), new(store.Memory)
			budget := farebox.WithBudget(farebox.Budget{Name: "fleet", Cap: farebox.Dollars(1), Window: window, Thresholds: []int{80}})
			var h heard
			one := newClient(t, openAIAt(p), dime(), farebox.WithStore(shared), budget, farebox.WithEvents(h.hear))
			two := newClient(t, openAIAt(p), dime(), farebox.WithStore(shared), budget, farebox.WithEvents(h.hear))
			for range 4 {
				must(t, callDime(one, t.Context()))
			}
			for range 3 {
				must(t, callDime(two, t.Context()))
			}
			must(t, one.Close(t.Context()))
			if got := h.kinds(); len(got) != 0 {
				t.Errorf("with seven tenths spent: heard %q", got)
			}
			for range 3 {
				must(t, callDime(two, t.Context()))
			}
			must(t, two.Close(t.Context()))
			if got := h.ofKind(farebox.EventThreshold); len(got) != 1 || got[0].Percent != 80 || got[0].Spent.Less(farebox.Cents(80)) {
				t.Errorf("with all of it spent: heard %+v", got)
			}
		})
	}
}

// TestCapsOfTheFleet: a shared cap is not raised by one process alone, holds whatever tolerance it is given, and is raised
// where every process is told.
func TestCapsOfTheFleet(t *testing.T) {
	t.Parallel()
	p, shared := dimeProvider(t), new(store.Memory)
	budget := farebox.Budget{Name: "total", Cap: farebox.Cents(30), TolerancePercent: 100}
	one := newClient(t, openAIAt(p), dime(), farebox.WithStore(shared), farebox.WithBudget(budget))
	two := newClient(t, openAIAt(p), dime(), farebox.WithStore(shared), farebox.WithBudget(budget))
	if err := one.Meter().Guard().TopUp("total", "", farebox.Dollars(1)); !errors.Is(err, farebox.ErrSharedCap) {
		t.Errorf("TopUp of a shared budget: %v", err)
	}
	spend := func() (served int) {
		for i := range 10 {
			client := one
			if i%2 == 1 {
				client = two
			}
			if err := callDime(client, t.Context()); err == nil {
				served++
			} else if !errors.Is(err, farebox.ErrBudgetExceeded) {
				t.Error(err)
			}
		}
		return served
	}
	if n := spend(); n != 3 {
		t.Errorf("%d calls were served, and the cap pays for 3", n)
	}
	budget.Cap = farebox.Cents(50)
	must(t, one.Meter().Guard().Set(budget))
	must(t, two.Meter().Guard().Set(budget))
	if n := spend(); n != 2 {
		t.Errorf("%d calls more were served, and the raised cap pays for 2", n)
	}
	journal := newClient(t, openAIAt(p), dime(), farebox.WithJournal(t.TempDir()), farebox.WithBudget(farebox.Budget{Name: "own"}))
	must(t, journal.Meter().Guard().TopUp("own", "", farebox.Cents(10)))
	must(t, callDime(journal, t.Context()))
}
