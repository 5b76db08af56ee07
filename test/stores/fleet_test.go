package stores_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/farebox-go/farebox"
	sqlstore "github.com/farebox-go/farebox/store/sql"
	"github.com/farebox-go/farebox/test/stores/clock"
	"github.com/redis/go-redis/v9"
)

// TestFleet lets 32 processes, whose clocks are minutes apart, spend under one cap of $100 and one of a window of seconds,
// while some of them die and the store is stopped, crashed and cut off. Nothing is overspent, all keep to the windows of
// the store's clock, every process is refused within its deadline while the store is away and is served again by itself
// once it is back, and what dead processes had borrowed is little.
func TestFleet(t *testing.T) {
	for _, program := range redisPrograms(t) {
		t.Run(program, func(t *testing.T) {
			server := startRedis(t, program)
			setUpRedis(t, server.client, "fleet")
			line := startProxy(t, server.address)
			f := fleet{
				spender: spender{Kind: "redis", Name: "fleet"}, address: line.address,
				outages: []outage{server.stopped(), server.crashed(), line.cut()},
				windows: func(key string) ([]window, error) { return redisWindows(server.client, "fleet", key) },
			}
			f.run(t)
		})
	}
	t.Run("postgresql", func(t *testing.T) {
		server := startPostgres(t)
		migrate(t, "pgx", server.dsn(server.address), sqlstore.PostgreSQL)
		line := startProxy(t, server.address)
		db, err := sql.Open("pgx", server.dsn(server.address))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		f := fleet{
			spender: spender{Kind: "pgx", Name: server.dsn(line.address)},
			outages: []outage{server.stopped(), server.crashed(), line.cut()},
			windows: func(key string) ([]window, error) { return sqlWindows(db, key) },
		}
		f.run(t)
	})
}

// fleet is a number of spenders that share a store.
type fleet struct {
	spender
	address  string
	outages  []outage
	windows  func(key string) ([]window, error)
	provider *provider
	alive    []*process
	begun    time.Time
	away     bool // the store
}

// outage is a way for a store to be away, and to come back.
type outage struct {
	name       string
	begin, end func()
}

// window is where an account of the store stands in one window.
type window struct {
	start, used int64
	holders     int // processes that the store has heard of
}

const (
	processes  = 32
	fleetCap   = 100_000_000_000 // nano-dollars
	shortCap   = 50_000_000_000
	keyOfCap   = "cap/total/usd/"
	keyOfDay   = "day/daily/usd/"
	keyOfShort = "short/rolling 9s/usd/"
)

func (f *fleet) run(t *testing.T) {
	f.provider = newProvider(t, 100*time.Millisecond)
	f.Provider, f.Cap, f.Short = f.provider.URL, farebox.Dollars(100), farebox.Dollars(50)
	f.Workers, f.Timeout, f.Pause = 2, 2*time.Second, time.Second
	f.begun = time.Now()
	f.startAll(t)
	f.await(t, "served from the start", served)
	f.kill() // one while it spends
	for i, outage := range f.outages {
		f.away = true
		outage.begin()
		f.await(t, "refused while the store is "+outage.name, refusedWithoutStore)
		if i == 0 {
			f.kill() // and one while it cannot
		}
		outage.end()
		f.away = false
		f.await(t, "served after the store was "+outage.name, served)
	}
	for _, p := range f.alive {
		_ = p.begin.Close() // hurry
	}
	f.await(t, "at its end", ended)
	var all progress
	for _, p := range f.alive {
		said := p.wait(t)
		all.Served, all.Refused, all.Away, all.Failed = all.Served+said.Served, all.Refused+said.Refused, all.Away+said.Away, all.Failed+said.Failed
		all.Late = max(all.Late, said.Late)
	}
	t.Logf("in %s: %d calls served, %d refused, %d for want of the store, %d failed; refused at most %s after the deadline",
		time.Since(f.begun).Round(time.Millisecond), all.Served, all.Refused, all.Away, all.Failed, all.Late)
	// A machine with more to do than it can may be late, but a call that waits for the store's own time-out is later.
	if all.Late > 2*time.Second {
		t.Errorf("a call was refused %s after its deadline", all.Late)
	}
	f.spendTheRest(t)
	f.checkCap(t)
}

// startAll starts processes whose clocks are up to five minutes off, and sees to it that they are.
func (f *fleet) startAll(t *testing.T) {
	for i := range processes {
		f.Ahead = time.Duration(2*i-processes+1) * 10 * time.Second
		p := start(t, f.spender, f.address)
		if off := time.Until(p.last.Load().Clock); clock.Skewed && (off-f.Ahead).Abs() > 5*time.Second {
			t.Errorf("a process's clock is off by %s, want %s", off, f.Ahead)
		}
		f.alive = append(f.alive, p)
	}
	for _, p := range f.alive {
		_, _ = p.begin.Write([]byte{0})
	}
}

func (f *fleet) kill() {
	f.alive[0].kill()
	f.alive = f.alive[1:]
}

// Ways in which a process gets on.
func served(before, now *progress) bool              { return now.Served > before.Served }
func refusedWithoutStore(before, now *progress) bool { return now.Away > before.Away }

// ended is of a process that says no more; see await.
func ended(_, _ *progress) bool { return false }

// await waits until each process has got on in some way, or has ended, and looks at the store meanwhile.
func (f *fleet) await(t *testing.T, what string, got func(before, now *progress) bool) {
	t.Helper()
	begun, before := time.Now(), make(map[*process]*progress)
	for _, p := range f.alive {
		before[p] = p.last.Load()
	}
	for deadline := time.Now().Add(2 * time.Minute); len(before) > 0; time.Sleep(50 * time.Millisecond) {
		for p, at := range before {
			select {
			case <-p.ended:
				delete(before, p)
			default:
				if got(at, p.last.Load()) {
					delete(before, p)
				}
			}
		}
		if !f.away {
			f.look(t)
		}
		if time.Now().After(deadline) {
			for p := range before {
				t.Logf("%+v", *p.last.Load())
			}
			t.Fatalf("%d of %d processes are not %s", len(before), len(f.alive), what)
		}
	}
	t.Logf("all %d are %s after %s", len(f.alive), what, time.Since(begun).Round(time.Millisecond))
}

// look holds the store's windows against the caps and the clock.
func (f *fleet) look(t *testing.T) {
	t.Helper()
	days, err := f.windows(keyOfDay)
	if err != nil {
		t.Fatal(err)
	}
	rolling, err := f.windows(keyOfShort)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if from, to := midnight(f.begun), midnight(now); len(days) > 2 || from.Equal(to) && len(days) > 1 {
		t.Errorf("%d windows of one day", len(days))
	} else if len(days) > 0 && (days[0].start < from.UnixNano() || days[len(days)-1].start > to.UnixNano()) {
		t.Errorf("days that start at %v, not on %s", days, from)
	}
	const width = int64(short / 60)
	for i, w := range rolling {
		if w.start < f.begun.UnixNano()-width || w.start > now.UnixNano() {
			t.Errorf("a window starts at %s; it was %s to %s", time.Unix(0, w.start), f.begun, now)
		}
		sum := int64(0)
		for _, of := range rolling[:i+1] {
			if of.start >= w.start-int64(short) {
				sum += of.used
			}
		}
		if sum > shortCap {
			t.Errorf("%d spent in %s, the cap is %d", sum, short, int64(shortCap))
		}
	}
}

func midnight(at time.Time) time.Time { return at.UTC().Truncate(24 * time.Hour) }

// spendTheRest lets one process spend what is left: all but what the dead had borrowed, and what is less than a call can
// cost.
func (f *fleet) spendTheRest(t *testing.T) {
	if billed := f.provider.billed.Load(); billed > fleetCap {
		t.Fatalf("the provider has billed %d of %d", billed, int64(fleetCap))
	}
	f.Workers = 8
	last := start(t, f.spender, f.address)
	_ = last.begin.Close()
	f.alive = []*process{last}
	f.await(t, "at its end", ended)
	t.Logf("the last: %+v", last.wait(t))
}

func (f *fleet) checkCap(t *testing.T) {
	total, err := f.windows(keyOfCap)
	if err != nil || len(total) != 1 {
		t.Fatalf("windows of a total: %v, %v", total, err)
	}
	counted, billed := total[0].used, f.provider.billed.Load()
	t.Logf("billed %.2f %% of the cap, counted %.2f %%, stranded %.2f %%", percent(billed), percent(counted), percent(counted-billed))
	if billed > fleetCap || counted < billed || counted > fleetCap {
		t.Errorf("the store counts %d, the provider billed %d, the cap is %d", counted, billed, int64(fleetCap))
	}
	if percent(billed) < 97 || percent(counted-billed) > 2 {
		t.Errorf("%.2f %% of the cap could be used, %.2f %% were stranded", percent(billed), percent(counted-billed))
	}
	days, err := f.windows(keyOfDay)
	if err != nil || len(days) == 0 || len(days) == 1 && days[0].holders < processes {
		t.Errorf("the day has %+v, %v; want one window that all %d processes spent in", days, err, processes)
	}
}

func percent(part int64) float64 { return 100 * float64(part) / fleetCap }

// redisWindows reads an account's windows, the oldest first.
func redisWindows(client *redis.Client, root, key string) (windows []window, err error) {
	fields, err := client.HGetAll(ctx, "{"+root+"}:account:"+key).Result()
	if err != nil {
		return nil, err
	}
	for field, value := range fields {
		start, isUsed := strings.CutPrefix(field, "used:")
		if !isUsed {
			continue
		}
		var w window
		if _, err = fmt.Sscan(start+" "+value, &w.start, &w.used); err != nil {
			return nil, err
		}
		holders, err := client.HLen(ctx, "{"+root+"}:holders:"+strconv.FormatInt(w.start, 10)+":"+key).Result()
		if err != nil {
			return nil, err
		}
		w.holders = int(holders)
		windows = append(windows, w)
	}
	slices.SortFunc(windows, func(a, b window) int { return int(a.start - b.start) })
	return windows, nil
}

// sqlWindows reads an account's windows, the oldest first.
func sqlWindows(db *sql.DB, key string) (windows []window, err error) {
	rows, err := db.QueryContext(ctx, `SELECT w.start_at, w.used, COUNT(*) FROM farebox_windows w JOIN farebox_holders h
		ON h.account_key = w.account_key AND h.start_at = w.start_at WHERE w.account_key = $1 GROUP BY w.start_at, w.used ORDER BY 1`, key)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var w window
		if err := rows.Scan(&w.start, &w.used, &w.holders); err != nil {
			return nil, err
		}
		windows = append(windows, w)
	}
	return windows, rows.Err()
}
