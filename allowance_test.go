package farebox_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/store"
)

// dime is a model that costs $0.10 a call.
func dime() farebox.Option {
	return farebox.WithPrice("dime", farebox.Rates{
		farebox.DimensionRequest: farebox.MustRate("0.10"), farebox.DimensionInput: {}, farebox.DimensionOutput: {},
	})
}

func dimeProvider(t *testing.T) *provider {
	return serve(t, answers(200, strings.ReplaceAll(chatAnswer, testModel, "dime")))
}

func callDime(client *farebox.Client, ctx context.Context) error {
	request := chatRequest()
	request.Model = "dime"
	_, err := client.CreateChatCompletion(ctx, request)
	return err
}

// TestFleetSharesACap: clients that share a store share a cap, of a total, a day, a rolling window and each user's, however
// their calls fall.
func TestFleetSharesACap(t *testing.T) {
	t.Parallel()
	for _, window := range []farebox.Window{{}, farebox.Daily, farebox.Rolling(time.Hour)} {
		t.Run(window.String(), func(t *testing.T) {
			t.Parallel()
			p, shared := dimeProvider(t), new(store.Memory)
			var served, refused atomic.Int64
			var all sync.WaitGroup
			for range 8 {
				client := newClient(t, openAIAt(p), dime(), farebox.WithStore(shared), farebox.WithBudget(
					farebox.Budget{Name: "fleet", Cap: farebox.Dollars(2), Window: window},
					farebox.Budget{Name: "each", Cap: farebox.Dollars(1), Window: window, Per: "user"},
					farebox.Budget{Name: "call", Cap: farebox.Cents(10), Window: farebox.PerCall},
					farebox.Budget{Name: "watched", Cap: farebox.Cents(1), Observe: true},
				))
				for i := range 8 {
					all.Go(func() {
						ctx := farebox.ContextWithTags(context.Background(), farebox.Tags{"user": fmt.Sprint(i % 4)})
						err := callDime(client, ctx)
						switch {
						case err == nil:
							served.Add(1)
						case errors.Is(err, farebox.ErrBudgetExceeded):
							refused.Add(1)
						default:
							t.Error(err)
						}
					})
				}
			}
			all.Wait()
			if served.Load() != 20 || refused.Load() != 44 || len(p.requests()) != 20 {
				t.Errorf("%d served, %d refused, %d sent; want 20, 44, 20", served.Load(), refused.Load(), len(p.requests()))
			}
		})
	}
}

func TestRefusalOfAStore(t *testing.T) {
	t.Parallel()
	p, shared := dimeProvider(t), new(store.Memory)
	budget := farebox.WithBudget(farebox.Budget{Name: "day", Cap: farebox.MustMoney("0.25"), Window: farebox.Daily})
	one := newClient(t, openAIAt(p), dime(), farebox.WithStore(shared), budget)
	two := newClient(t, openAIAt(p), dime(), farebox.WithStore(shared), budget)
	for range 2 {
		if err := callDime(one, context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	var refused *farebox.BudgetError
	err := callDime(two, context.Background())
	if !errors.As(err, &refused) || refused.Budget != "day" || refused.Cap != farebox.MustMoney("0.25") ||
		refused.Spent != farebox.Cents(20) || refused.Fits != farebox.Cents(5) || refused.ResetAt.IsZero() {
		t.Errorf("refused: %+v", err)
	}
	if len(p.requests()) != 2 {
		t.Errorf("%d requests were sent", len(p.requests()))
	}
}

// outage is a store that can be taken away.
type outage struct {
	store.Store
	down atomic.Bool
}

func (s *outage) Sync(ctx context.Context, client string, lines []store.Line) (store.Reply, error) {
	if s.down.Load() {
		return store.Reply{}, fmt.Errorf("no route to the store: %w", store.ErrUnavailable)
	}
	return s.Store.Sync(ctx, client, lines)
}

func TestStoreAway(t *testing.T) {
	t.Parallel()
	p, shared := dimeProvider(t), &outage{Store: new(store.Memory)}
	shared.down.Store(true)
	budget := farebox.WithBudget(farebox.Budget{Name: "total", Cap: farebox.Dollars(1)})
	strict := newClient(t, openAIAt(p), dime(), farebox.WithStore(shared), budget)
	lax := newClient(t, openAIAt(p), dime(), farebox.WithStore(shared), budget, farebox.WithAdmissionWithoutStore())

	var refused *farebox.BudgetError
	err := callDime(strict, context.Background())
	if !errors.As(err, &refused) || refused.Reason != farebox.ReasonStoreUnavailable || !errors.Is(err, farebox.ErrStoreUnavailable) ||
		!errors.Is(err, store.ErrUnavailable) || !errors.Is(err, farebox.ErrRefused) || errors.Is(err, farebox.ErrBudgetExceeded) {
		t.Errorf("with the store away: %v", err)
	}
	if len(p.requests()) != 0 {
		t.Error("a call was sent")
	}
	if held := strict.Meter().Guard().Snapshot()[0].Held; !held.IsZero() {
		t.Errorf("a refused call holds %s", held)
	}

	for i := range 11 {
		err := callDime(lax, context.Background())
		if i < 10 && err != nil || i == 10 && !errors.Is(err, farebox.ErrBudgetExceeded) {
			t.Errorf("call %d, admitted without the store: %v", i, err)
		}
	}
	for r := range lax.Meter().Ledger().Receipts(farebox.Filter{}) {
		if !r.HasFlag(farebox.FlagWithoutStore) {
			t.Errorf("receipt %s is not flagged", r)
		}
	}
	shared.down.Store(false)
	if err := callDime(strict, context.Background()); err != nil {
		t.Errorf("with the store back: %v", err)
	}
}

// TestStoreThatHangs: a guarded call is refused within its own deadline.
func TestStoreThatHangs(t *testing.T) {
	t.Parallel()
	p := dimeProvider(t)
	ctx, end := newDeadline(), make(chan struct{})
	defer close(end)
	client, err := farebox.New(openAIAt(p), dime(), farebox.WithStore(hanging{asked: ctx.pass, end: end}), farebox.WithBudget(farebox.Budget{Name: "total", Cap: farebox.Dollars(1)}))
	must(t, err)
	err = callDime(client, ctx)
	if !errors.Is(err, farebox.ErrStoreUnavailable) || !errors.Is(err, context.DeadlineExceeded) || len(p.requests()) != 0 {
		t.Errorf("with a store that hangs: %v", err)
	}
	if err := client.Close(ctx); !errors.Is(err, context.DeadlineExceeded) { // nobody knows whether it granted anything
		t.Errorf("Close: %v", err)
	}
}

// hanging is a store that does not answer; it says that it was asked.
type hanging struct {
	store.Store
	asked func()
	end   <-chan struct{}
}

func (s hanging) Sync(ctx context.Context, _ string, lines []store.Line) (store.Reply, error) {
	if len(lines) > 0 {
		s.asked()
		select {
		case <-ctx.Done():
		case <-s.end:
			return store.Reply{}, store.ErrUnavailable
		}
	}
	return store.Reply{}, ctx.Err()
}

// TestStoresClock: windows are those of the store's clock, however far off the process's is: a call is served at once, and
// counts there.
func TestStoresClock(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{-26 * time.Hour, -5 * time.Minute, -time.Second, 0, time.Second, 26 * time.Hour} {
		t.Run(off.String(), func(t *testing.T) {
			t.Parallel()
			p := dimeProvider(t)
			kept := &store.Memory{Clock: func() time.Time { return time.Now().Add(off) }}
			client := newClient(t, openAIAt(p), dime(), farebox.WithStore(kept), farebox.WithBudget(
				farebox.Budget{Name: "day", Cap: farebox.Cents(20), Window: farebox.Daily},
				farebox.Budget{Name: "while", Cap: farebox.Cents(20), Window: farebox.Rolling(time.Hour)},
			))
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			for range 2 {
				if err := callDime(client, ctx); err != nil {
					t.Fatal(err)
				}
			}
			var refused *farebox.BudgetError
			if err := callDime(client, ctx); !errors.As(err, &refused) || refused.Spent != farebox.Cents(20) {
				t.Errorf("a third call: %v", err)
			}
		})
	}
}

// TestWaitForAnotherProcess: what one process gives back serves another that waits for it.
func TestWaitForAnotherProcess(t *testing.T) {
	t.Parallel()
	p, shared := dimeProvider(t), new(store.Memory)
	budget := farebox.WithBudget(farebox.Budget{Name: "total", Cap: farebox.Cents(10), WhenFull: farebox.Wait})
	other := store.Line{Account: store.Account{Key: "total/total/usd/"}, Cap: 100_000_000, Need: 100_000_000}
	if _, err := shared.Sync(context.Background(), "another", []store.Line{other}); err != nil {
		t.Fatal(err)
	}
	client := newClient(t, openAIAt(p), dime(), farebox.WithStore(shared), budget)
	short, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := callDime(client, short); !errors.Is(err, farebox.ErrRefused) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a call whose time runs out: %v", err)
	}
	done := make(chan error)
	go func() { done <- callDime(client, context.Background()) }()
	other.Granted, other.Returned, other.Need = other.Need, other.Need, 0
	if _, err := shared.Sync(context.Background(), "another", []store.Line{other}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("a call that waited: %v", err)
	}
}

// TestJournal: a cap and the receipts survive a restart, whether the first process closed its Meter or died.
func TestJournal(t *testing.T) {
	t.Parallel()
	for _, dies := range []bool{false, true} {
		p := dimeProvider(t)
		folder := filepath.Join(t.TempDir(), "journal")
		start := func() *farebox.Client {
			client, err := farebox.New(openAIAt(p), dime(), farebox.WithJournal(folder),
				farebox.WithBudget(farebox.Budget{Name: "day", Cap: farebox.Dollars(1), Window: farebox.Daily}))
			if err != nil {
				t.Fatal(err)
			}
			return client
		}
		first := start()
		for range 6 {
			if err := callDime(first, context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := farebox.NewMeter(farebox.WithJournal(folder)); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("a second process on the same folder: %v", err)
		}
		end(t, first, folder, dies)

		second := start()
		if total := second.Meter().Ledger().Total(); total.Attempts != 6 || total.Cost != farebox.Cents(60) {
			t.Errorf("died %v: the ledger has %+v", dies, total)
		}
		if status := second.Meter().Guard().Snapshot()[0]; status.Spent != farebox.Cents(60) {
			t.Errorf("died %v: the budget stands at %s", dies, status.Spent)
		}
		for i := range 5 {
			err := callDime(second, context.Background())
			if i < 4 && err != nil || i == 4 && !errors.Is(err, farebox.ErrBudgetExceeded) {
				t.Errorf("died %v, call %d after the restart: %v", dies, i, err)
			}
		}
		if n := len(p.requests()); n != 10 {
			t.Errorf("died %v: %d calls were sent, and the cap pays for 10", dies, n)
		}
		if err := second.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// end closes a Client, or makes its files look as if its process had died: as copies that nobody holds a lock on.
func end(t *testing.T, client *farebox.Client, folder string, dies bool) {
	t.Helper()
	before := map[string][]byte{}
	for _, name := range []string{"budgets", "receipts.jsonl", "attempts"} {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		before[name] = data
	}
	if err := client.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if !dies {
		return
	}
	before["receipts.jsonl"] = append(before["receipts.jsonl"], `{"receipt":{"schema":1,"id":"cut`...)
	for name, data := range before {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStoreOptions(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]farebox.MeterOption{
		"no store":      {farebox.WithStore(nil)},
		"no folder":     {farebox.WithJournal("")},
		"two stores":    {farebox.WithStore(new(store.Memory)), farebox.WithStore(new(store.Memory))},
		"a file's name": {farebox.WithJournal(os.Args[0])},
		"a bad budget":  {farebox.WithJournal(t.TempDir()), farebox.WithBudget(farebox.Budget{})},
		"two journals":  {farebox.WithJournal(t.TempDir()), farebox.WithJournal(t.TempDir())},
	} {
		if _, err := farebox.NewMeter(options...); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// TestCloseReturnsWhatIsLeft: a process that ends leaves nothing stranded.
func TestCloseReturnsWhatIsLeft(t *testing.T) {
	t.Parallel()
	p, shared := dimeProvider(t), new(store.Memory)
	client, err := farebox.New(openAIAt(p), dime(), farebox.WithStore(shared),
		farebox.WithBudget(farebox.Budget{Name: "total", Cap: farebox.Dollars(1000)}))
	if err != nil {
		t.Fatal(err)
	}
	if err := callDime(client, context.Background()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := client.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	balances, err := shared.Balances(context.Background(), []store.Account{{Key: "total/total/usd/"}})
	if err != nil || balances[0].Used != 100_000_000 {
		t.Errorf("after Close the store counts %+v, %v; want $0.10", balances, err)
	}
}
