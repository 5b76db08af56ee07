package attempts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/farebox-go/farebox/internal/allowance"
	"github.com/farebox-go/farebox/store"
	"pgregory.net/rapid"
)

const kind = "store"

var (
	ctx   = context.Background()
	total = store.Account{Key: "total/total/usd/"}
	day   = store.Account{Key: "day/daily/usd/", Window: store.Window{Start: 1, End: 4e18, View: 1}}
)

// mortal is the way of a process to a store, which ends with it.
type mortal struct {
	store.Store
	mu   sync.Mutex
	dead bool
}

var errDead = errors.New("the process is dead")

func (m *mortal) Sync(ctx context.Context, client string, lines []store.Line) (store.Reply, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return store.Reply{}, errDead
	}
	return m.Store.Sync(ctx, client, lines)
}

// process spends at a store, and writes down what it does.
type process struct {
	log   *Log
	store *mortal
	pool  *allowance.Pool
	held  map[string]*allowance.Hold
}

func begin(t require, path, boot, name string, s store.Store) (*process, []*Client) {
	l, lost, err := openIn(path, boot)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{log: l, store: &mortal{Store: s}, held: map[string]*allowance.Hold{}}
	for _, a := range l.InFlight() {
		if err := l.End(a.ID, amounts(a), false); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.SettleUp(ctx, s, kind); err != nil {
		t.Fatal(err)
	}
	if err := l.Begin(name, kind); err != nil {
		t.Fatal(err)
	}
	p.pool = allowance.New(l.Telling(p.store), name)
	return p, lost
}

func amounts(a *Attempt) (held []int64) {
	for i := range a.Postings {
		held = append(held, a.Postings[i].Amount)
	}
	return held
}

// spend sets an amount aside and writes it down, as a call that is about to be sent does.
func (p *process) spend(t require, id string, amount int64) {
	postings := []allowance.Posting{{Account: total, Cap: 1e9, Amount: amount}, {Account: day, Cap: 1e9, Amount: amount}}
	h := new(allowance.Hold)
	if err := p.pool.Take(ctx, h, postings); err != nil {
		t.Fatal(err)
	}
	a := &Attempt{ID: id, Postings: []Posting{{Account: total, Amount: amount, Money: true}, {Account: day, Amount: amount, Place: 1, Money: true}}}
	if err := p.log.Note(a); err != nil {
		t.Fatal(err)
	}
	p.held[id] = h
}

func (p *process) end(t require, id string, cost int64, settled bool) {
	if err := p.log.End(id, []int64{cost, cost}, settled); err != nil {
		t.Fatal(err)
	}
	p.held[id].End(cost)
}

// die leaves what a process that is killed leaves: its log, as another may find it.
func (p *process) die(t require, path, copied string) {
	p.store.mu.Lock()
	p.store.dead = true
	p.store.mu.Unlock()
	data, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(copied, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = p.pool.Close(ctx)
	if err := p.log.Close(); err != nil {
		t.Fatal(err)
	}
}

type require interface {
	Fatal(...any)
	Fatalf(string, ...any)
}

func counted(t require, s store.Store) int64 {
	balances, err := s.Balances(ctx, []store.Account{total, day})
	if err != nil {
		t.Fatal(err)
	}
	if balances[0].Used != balances[1].Used {
		t.Fatalf("the total counts %d, the day %d", balances[0].Used, balances[1].Used)
	}
	return balances[0].Used
}

// TestRecovery lets process after process spend, correct and die, and finds counted at the store exactly what attempts cost
// and, of those that a death has cut off, what was set aside for them.
func TestRecovery(t *testing.T) {
	t.Parallel()
	dir, files := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		next := func() string { files++; return filepath.Join(dir, fmt.Sprint(files)) }
		path, shared, cost := next(), new(store.Memory), map[string]int64{}
		var unsettled []string
		for i := range rapid.IntRange(1, 4).Draw(t, "processes") {
			p, lost := begin(t, path, "boot", fmt.Sprint("process ", i), shared)
			if lost != nil {
				t.Fatalf("lost: %v", lost)
			}
			var open, mine []string
			for step := range rapid.IntRange(0, 30).Draw(t, "steps") {
				switch do := rapid.SampledFrom([]string{"spend", "spend", "end", "correct", "rewrite"}).Draw(t, "do"); {
				case do == "spend":
					id, amount := fmt.Sprintf("%d/%02d", i, step), rapid.Int64Range(1, 1_000_000).Draw(t, "amount")
					p.spend(t, id, amount)
					cost[id] = amount
					open = append(open, id)
				case do == "end" && len(open) > 0:
					id := open[0]
					open = open[1:]
					cost[id] = rapid.Int64Range(0, 1_500_000).Draw(t, "cost")
					settled := rapid.Bool().Draw(t, "settled")
					p.end(t, id, cost[id], settled)
					if !settled {
						mine = append(mine, id)
					}
				case do == "correct" && len(unsettled)+len(mine) > 0:
					id := rapid.SampledFrom(slices.Concat(unsettled, mine)).Draw(t, "of")
					cost[id] = rapid.Int64Range(0, 1_500_000).Draw(t, "cost")
					if err := p.log.Correct(id, []int64{cost[id], cost[id]}); err != nil {
						t.Fatal(err)
					}
					if h := p.held[id]; h != nil {
						h.Correct(cost[id])
					} else if rapid.Bool().Draw(t, "told at once") {
						if err := p.log.SettleUp(ctx, shared, kind); err != nil {
							t.Fatal(err)
						}
					}
				case do == "rewrite":
					p.log.mu.Lock()
					err := p.log.rewrite()
					p.log.mu.Unlock()
					if err != nil {
						t.Fatal(err)
					}
				}
			}
			unsettled = append(append(unsettled, mine...), open...)
			left := next()
			p.die(t, path, left)
			path = left
		}
		last, _ := begin(t, path, "boot", "last", shared)
		want := int64(0)
		for _, amount := range cost {
			want += amount
		}
		if got := counted(t, shared); got != want {
			t.Fatalf("the store counts %d, and %d were spent", got, want)
		}
		if err := last.log.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestTornLog cuts a log at every byte of its last record, whatever that is. The process that finds it never lets the store
// count less than was spent: not after a crash, which cuts off nothing but what was not written yet, nor after a loss of power,
// which takes what was.
func TestTornLog(t *testing.T) {
	t.Parallel()
	for last, do := range map[string]func(*testing.T, *process){
		"an attempt": func(t *testing.T, p *process) { p.spend(t, "3", 400) },
		"an end":     func(t *testing.T, p *process) { p.end(t, "2", 50, true) },
		"an open end": func(t *testing.T, p *process) {
			p.end(t, "2", 50, false)
		},
		"a correction": func(t *testing.T, p *process) {
			if err := p.log.Correct("1", []int64{10, 10}); err != nil {
				t.Fatal(err)
			}
		},
		"a message": func(t *testing.T, p *process) {
			if err := p.log.told("first", []store.Line{{Account: total, Returned: 5000}, {Account: day, Returned: 5000}}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(last, func(t *testing.T) {
			t.Parallel()
			for cut := 1; tear(t, do, cut, last == "an attempt"); cut++ {
			}
		})
	}
}

// tear plays a process that dies with its last record cut short by some bytes; false: it is not that long.
func tear(t *testing.T, do func(*testing.T, *process), cut int, attempt bool) bool {
	path, shared := filepath.Join(t.TempDir(), "attempts"), new(store.Memory)
	p, _ := begin(t, path, "boot", "first", shared)
	p.spend(t, "1", 300)
	p.end(t, "1", 100, false)
	p.spend(t, "2", 200)
	before := p.log.file.Size()
	do(t, p)
	size := p.log.file.Size()
	if int64(cut) > size-before {
		p.die(t, path, path+".left")
		return false
	}
	p.die(t, path, path+".left")
	for _, boot := range []string{"boot", "another boot", ""} {
		torn := path + "." + boot
		data, err := os.ReadFile(path + ".left")
		if err == nil {
			err = os.WriteFile(torn, data[:size-int64(cut)], 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	spent := int64(10 + 50)
	if attempt {
		spent = 100 + 200 // and where power was lost another 400
		unknown, lost := begin(t, path+".another boot", "another boot", "second", shared)
		if got := counted(t, shared); got < spent+400 || len(lost) != 1 {
			t.Errorf("cut by %d, after a loss of power: the store counts %d, and %d were spent; lost: %v", cut, got, spent+400, lost)
		}
		_ = unknown.log.Close()
	}
	for _, boot := range []string{"", "another boot", "boot"} {
		if attempt && boot == "another boot" {
			continue
		}
		p, _ := begin(t, path+"."+boot, boot, "second", shared)
		if got := counted(t, shared); got < spent {
			t.Errorf("cut by %d, boot %q: the store counts %d, and %d were spent", cut, boot, got, spent)
		}
		if err := p.log.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return true
}

// TestDamagedLog: where others stand behind a record that cannot be read, nothing is given back, and the service starts.
func TestDamagedLog(t *testing.T) {
	t.Parallel()
	path, shared := filepath.Join(t.TempDir(), "attempts"), new(store.Memory)
	p, _ := begin(t, path, "boot", "first", shared)
	at := p.log.file.Size() + 40
	for i := range 5 {
		p.spend(t, fmt.Sprint(i), 300)
	}
	p.die(t, path, path+".left")
	data, err := os.ReadFile(path + ".left")
	if err == nil {
		data[at] ^= 1
		err = os.WriteFile(path+".left", data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	before := counted(t, shared)
	second, lost := begin(t, path+".left", "boot", "second", shared)
	if after := counted(t, shared); len(lost) != 1 || after != before {
		t.Errorf("lost: %v; the store counts %d after %d", lost, after, before)
	}
	if err := second.log.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestNothingLeft: a process that has ended by itself leaves nothing to be settled.
func TestNothingLeft(t *testing.T) {
	t.Parallel()
	path, shared := filepath.Join(t.TempDir(), "attempts"), new(store.Memory)
	p, _ := begin(t, path, "boot", "first", shared)
	p.spend(t, "1", 300)
	p.end(t, "1", 100, true)
	if err := errors.Join(p.pool.Close(ctx), p.log.Leave(), p.log.Close()); err != nil {
		t.Fatal(err)
	}
	l, lost, err := openIn(path, "another boot")
	if err != nil || lost != nil || l.Left(kind) {
		t.Fatalf("lost %v, left %v, %v", lost, l.Left(kind), err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := counted(t, shared); got != 100 {
		t.Errorf("the store counts %d, and 100 were spent", got)
	}
}

// TestStaysSmall: sums of windows that nothing counts any more are let go.
func TestStaysSmall(t *testing.T) {
	t.Parallel()
	l, _, err := openIn(filepath.Join(t.TempDir(), "attempts"), "boot")
	if err == nil {
		err = l.Begin("client", kind)
	}
	if err != nil {
		t.Fatal(err)
	}
	hour := time.Hour.Nanoseconds()
	for i := range int64(1000) {
		old := store.Account{Key: "hour", Window: store.Window{Start: i*hour + 1, End: (i + 1) * hour, View: i*hour + 1}}
		id := fmt.Sprint(i)
		if err := errors.Join(l.Note(&Attempt{ID: id, Postings: []Posting{{Account: old, Amount: 1}}}), l.End(id, []int64{1}, true)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Begin("client", kind); err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	err = l.rewrite()
	l.mu.Unlock()
	if size := l.file.Size(); err != nil || size > 1000 {
		t.Errorf("%d bytes, %v", size, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestEncoding: what is written without encoding/json is read by it as it was.
func TestEncoding(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		account := func(t *rapid.T) store.Account {
			return store.Account{Key: rapid.String().Draw(t, "key"), Window: store.Window{
				Start: rapid.Int64().Draw(t, "start"), End: rapid.Int64().Draw(t, "end"), View: rapid.Int64().Draw(t, "view"),
			}}
		}
		a := &Attempt{ID: rapid.String().Draw(t, "id"), kind: rapid.String().Draw(t, "kind")}
		for range rapid.IntRange(0, 3).Draw(t, "postings") {
			a.Postings = append(a.Postings, Posting{
				Account: account(t), Amount: rapid.Int64().Draw(t, "amount"), Place: rapid.IntRange(0, 9).Draw(t, "place"), Money: rapid.Bool().Draw(t, "money"),
			})
		}
		if rapid.Bool().Draw(t, "with a receipt") {
			a.Receipt = json.RawMessage(`{"id":"1"}`)
		}
		var got record
		if err := json.Unmarshal(appendOpened(nil, a), &got); err != nil || !reflect.DeepEqual(got.Opened, a.record()) {
			t.Fatalf("%+v, %v; want %+v", got.Opened, err, a.record())
		}
		r := &endedRecord{ID: a.ID, Booked: rapid.SliceOfN(rapid.Int64(), 0, 3).Draw(t, "booked"), Settled: rapid.Bool().Draw(t, "settled")}
		if len(r.Booked) == 0 {
			r.Booked = nil
		}
		got = record{}
		if err := json.Unmarshal(appendEnded(nil, r), &got); err != nil || !reflect.DeepEqual(got.Ended, r) {
			t.Fatalf("%+v, %v; want %+v", got.Ended, err, r)
		}
	})
}

func BenchmarkAttempt(b *testing.B) {
	l, _, err := Open(filepath.Join(b.TempDir(), "attempts"))
	if err == nil {
		err = l.Begin("client", kind)
	}
	if err != nil {
		b.Fatal(err)
	}
	receipt := make(json.RawMessage, 500)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		id := fmt.Sprint(n)
		a := &Attempt{ID: id, Receipt: receipt, Postings: []Posting{{Account: day, Amount: 12_300_000, Money: true}}}
		if err := errors.Join(l.Note(a), l.End(id, []int64{1_000_000}, true)); err != nil {
			b.Fatal(err)
		}
	}
}
