package farebox_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/store"
)

var totalAccount = []store.Account{{Key: "total/total/usd/"}}

// crash is a folder whose process has died with a call in flight and a thousandth of $1000 borrowed: in a store of a fleet, or
// where that is nil in the folder's own.
type crash struct {
	t      *testing.T
	folder string
	shared *outage
	point  farebox.Endpoint
}

func newCrash(t *testing.T, shared *outage) *crash {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("a crash cannot be told from a loss of power but on Linux")
	}
	var calls atomic.Int64
	arrived, release := make(chan bool), make(chan bool)
	answer := answers(200, strings.ReplaceAll(chatAnswer, testModel, "dime"))
	p := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 2 {
			arrived <- true
			<-release
		}
		answer(w, r)
	})
	c := &crash{t: t, folder: filepath.Join(t.TempDir(), "left"), shared: shared, point: openAIAt(p)}
	alive := filepath.Join(t.TempDir(), "alive")
	first := c.start(alive)
	if err := callDime(first, context.Background()); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		ended <- callDime(first, farebox.ContextWithTags(context.Background(), farebox.Tags{"call": "hanging"}))
	}()
	<-arrived
	if shared != nil {
		shared.down.Store(true)
	}
	if err := os.CopyFS(c.folder, os.DirFS(alive)); err != nil {
		t.Fatal(err)
	}
	close(release)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	_ = first.Close(context.Background()) // the store may be down: the process is to be dead for it
	if shared != nil {
		shared.down.Store(false)
	}
	return c
}

func (c *crash) start(folder string, more ...farebox.Option) *farebox.Client {
	c.t.Helper()
	options := append(more, dime(), noRetry, farebox.WithJournal(folder), farebox.WithBudget(farebox.Budget{Name: "total", Cap: farebox.Dollars(1000)}))
	if c.shared != nil {
		options = append(options, farebox.WithStore(c.shared))
	}
	client, err := farebox.New(c.point, options...)
	if err != nil {
		c.t.Fatal(err)
	}
	return client
}

// end closes a Client, and says what the store counts then.
func (c *crash) end(client *farebox.Client) farebox.Money {
	c.t.Helper()
	if err := client.Close(context.Background()); err != nil {
		c.t.Fatal(err)
	}
	var kept store.Store = c.shared
	if c.shared == nil {
		file, err := store.OpenFile(filepath.Join(c.folder, "budgets"))
		if err != nil {
			c.t.Fatal(err)
		}
		defer func() { _ = file.Close() }()
		kept = file
	}
	balances, err := kept.Balances(context.Background(), totalAccount)
	if err != nil {
		c.t.Fatal(err)
	}
	return farebox.MustMoney("1e-9").Mul(balances[0].Used)
}

// TestInterrupted: what a process that died had in flight is charged at its most, has a receipt and can be reconciled, by any later
// process; all else that it had borrowed comes back.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for name, shared := range map[string]*outage{"journal": nil, "fleet": {Store: new(store.Memory)}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCrash(t, shared)
			var told []farebox.Receipt
			second := c.start(c.folder, farebox.WithSink(farebox.SinkFunc(func(r farebox.Receipt) { told = append(told, r) })))
			if len(told) != 1 || !told[0].HasFlag(farebox.FlagInterrupted) || told[0].Source != farebox.Held || told[0].Tags["call"] != "hanging" ||
				told[0].Cost != farebox.Cents(10) || told[0].ModelAsked != "dime" || told[0].Budgets[0].Charged != farebox.Cents(10) {
				t.Fatalf("receipts of what was in flight: %+v", told)
			}
			c.expect(second, farebox.Cents(20), "after the crash")
			if counted := c.end(second); counted != farebox.Cents(20) {
				t.Errorf("the store counts %s; want $0.20", counted)
			}

			third := c.start(c.folder)
			for _, figure := range []string{"0.03", "0.15", "0.05"} {
				if _, err := third.Meter().Reconcile(told[0].ID, farebox.MustMoney(figure), "the bill"); err != nil {
					t.Fatal(err)
				}
				c.expect(third, farebox.Cents(10).Add(farebox.MustMoney(figure)), "reconciled")
			}
			if counted := c.end(third); counted != farebox.Cents(15) {
				t.Errorf("reconciled: the store counts %s; want $0.15", counted)
			}

			fourth := c.start(c.folder)
			c.expect(fourth, farebox.Cents(15), "and after a restart")
			if _, err := fourth.Meter().Reconcile("another", farebox.Money{}, ""); !errors.Is(err, farebox.ErrUnknownReceipt) {
				t.Errorf("a receipt that never was: %v", err)
			}
			if _, err := fourth.Meter().Reconcile(told[0].ID, farebox.Cents(4), "the bill"); err != nil {
				t.Fatal(err)
			}
			if counted := c.end(fourth); counted != farebox.Cents(14) {
				t.Errorf("reconciled anew: the store counts %s; want $0.14", counted)
			}
		})
	}
}

// expect holds the ledger and the budget of a Client against what was spent.
func (c *crash) expect(client *farebox.Client, want farebox.Money, when string) {
	c.t.Helper()
	if total := client.Meter().Ledger().Total(); total.Attempts != 2 || total.Cost != want {
		c.t.Errorf("%s: the ledger has %+v; want 2 attempts, %s", when, total, want)
	}
	if spent := client.Meter().Guard().Snapshot()[0].Spent; spent != want {
		c.t.Errorf("%s: the budget stands at %s; want %s", when, spent, want)
	}
}

// TestStoreAwayAfterACrash: the next process starts all the same, and settles what is left once the store is back.
func TestStoreAwayAfterACrash(t *testing.T) {
	t.Parallel()
	c := newCrash(t, &outage{Store: new(store.Memory)})
	c.shared.down.Store(true)
	second := c.start(c.folder)
	c.shared.down.Store(false)
	if counted := c.end(second); counted != farebox.Cents(20) {
		t.Errorf("the store counts %s; want $0.20", counted)
	}
}

// TestAnotherStore: what was borrowed at one store is not given back to another.
func TestAnotherStore(t *testing.T) {
	t.Parallel()
	c := newCrash(t, nil)
	c.shared = &outage{Store: new(store.Memory)}
	second := c.start(c.folder)
	c.expect(second, farebox.Cents(20), "after the crash")
	if counted := c.end(second); !counted.IsZero() {
		t.Errorf("the other store counts %s", counted)
	}
}

// TestFolderIsLetGo: a Meter that could not be made holds no folder.
func TestFolderIsLetGo(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if _, err := farebox.NewMeter(farebox.WithJournal(folder), farebox.WithEndpoint(farebox.OpenAI(testKey).WithBaseURL(":"))); err == nil {
		t.Fatal("an endpoint at no address was taken")
	}
	meter, err := farebox.NewMeter(farebox.WithJournal(folder))
	if err != nil {
		t.Fatal(err)
	}
	closeMeter(t, meter)
}
