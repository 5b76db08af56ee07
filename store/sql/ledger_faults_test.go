package sqlstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farebox-go/farebox"
	sqlstore "github.com/farebox-go/farebox/store/sql"
)

// faulty is a database whose commits fail now and then: before they are made, or after, as where the answer is lost.
type faulty struct {
	driver  driver.Driver
	name    string
	commits atomic.Int64
	failed  atomic.Int64
}

var errLost = errors.New("the connection was lost")

func (f *faulty) Connect(context.Context) (driver.Conn, error) {
	conn, err := f.driver.Open(f.name)
	if err != nil {
		return nil, err
	}
	return &faultyConn{conn.(fullConn), f}, nil
}

// Driver is the real one.
func (f *faulty) Driver() driver.Driver { return f.driver }

// fullConn is what the drivers under test can do.
type fullConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
}

type faultyConn struct {
	fullConn
	faulty *faulty
}

func (c *faultyConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	tx, err := c.fullConn.BeginTx(ctx, options)
	return &faultyTx{tx, c.faulty}, err
}

type faultyTx struct {
	driver.Tx
	faulty *faulty
}

func (t *faultyTx) Commit() error {
	switch t.faulty.commits.Add(1) % 4 {
	case 1:
		t.faulty.failed.Add(1)
		return errors.Join(t.Tx.Commit(), errLost)
	case 2:
		t.faulty.failed.Add(1)
		return errors.Join(t.Tx.Rollback(), errLost)
	}
	return t.Tx.Commit()
}

// TestLedgerCommitsAreLost: a batch is tried until it is written, and counts once, also where the database had it when the news
// of that was lost.
func TestLedgerCommitsAreLost(t *testing.T) {
	each(t, func(t *testing.T, open func(testing.TB) database) {
		db := open(t)
		if err := sqlstore.Migrate(ctx, db.DB, db.dialect); err != nil {
			t.Fatal(err)
		}
		f := &faulty{driver: db.Driver(), name: db.name}
		bad := sql.OpenDB(f)
		t.Cleanup(func() { _ = bad.Close() })
		var warned atomic.Int64
		l, err := sqlstore.NewLedger(bad, db.dialect, sqlstore.LedgerOptions{Batch: 40, Every: time.Millisecond, Warn: func(err error) {
			if errors.Is(err, errLost) {
				warned.Add(1)
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		var want farebox.Ledger
		random := rand.New(rand.NewPCG(9, 10))
		for i := range 200 {
			r := someReceipt(i, random)
			a := farebox.Adjustment{Schema: 1, ReceiptID: r.ID, At: r.Start, Amount: farebox.Cents(int64(i))}
			want.Append(r)
			want.Adjust(a)
			record(t, l, farebox.LedgerEntry{Receipt: &r})
			record(t, l, farebox.LedgerEntry{Adjustment: &a})
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		agrees(t, l, &want)
		if warned.Load() != f.failed.Load() || warned.Load() == 0 {
			t.Errorf("%d commits failed, and Warn was told of %d", f.failed.Load(), warned.Load())
		}
	})
}

// TestLedgerFull: while the database is away and as many receipts wait as may, the next one waits: none is dropped.
func TestLedgerFull(t *testing.T) {
	db := openSQLite(t)
	warned := make(chan error, 1)
	l := db.ledger(t, sqlstore.LedgerOptions{Batch: 2, MaxWaiting: 5, Every: time.Millisecond, Warn: func(err error) {
		select {
		case warned <- err:
		default:
		}
	}})
	mustExec(t, db, "ALTER TABLE farebox_hours RENAME TO hidden")
	random := rand.New(rand.NewPCG(11, 12))
	var taken atomic.Int64
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := range 50 {
			if err := l.Receipt(someReceipt(i, random)); err != nil {
				t.Error(err)
			}
			taken.Add(1)
		}
	}()
	if err := <-warned; !strings.Contains(err.Error(), "no such table") {
		t.Errorf("warned of %v", err)
	}
	<-warned // tried again
	select {
	case <-sent:
		t.Error("50 receipts were taken where 5 may wait, 2 are being written and 2 are made ready")
	default:
	}
	if n := taken.Load(); n > 9 {
		t.Errorf("%d receipts were taken where 5 may wait, 2 are being written and 2 are made ready", n)
	}
	mustExec(t, db, "ALTER TABLE hidden RENAME TO farebox_hours")
	<-sent
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if spend, err := l.Spend(ctx, farebox.SpendQuery{}); err != nil || spend[0].Attempts != 50 {
		t.Errorf("%+v, %v; want 50 attempts", spend, err)
	}
	if err := l.Receipt(farebox.Receipt{}); err == nil {
		t.Error("a receipt after Close was taken")
	}
	if err := l.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}

// TestLedgerOddText: text that a database does not take as it is does not keep other receipts from being written.
func TestLedgerOddText(t *testing.T) {
	each(t, func(t *testing.T, open func(testing.TB) database) {
		l := open(t).ledger(t, sqlstore.LedgerOptions{Warn: func(err error) { t.Error(err) }})
		odd := "a\x00b\xff" + strings.Repeat("ü", 300)
		r := someReceipt(1, rand.New(rand.NewPCG(1, 1)))
		r.ID, r.CallID, r.Endpoint, r.Model, r.KeyLabel, r.Tags = odd, odd, odd, odd, odd, farebox.Tags{odd: odd}
		record(t, l, farebox.LedgerEntry{Receipt: &r})
		record(t, l, farebox.LedgerEntry{Adjustment: &farebox.Adjustment{ReceiptID: odd, Amount: farebox.Cents(1), Reason: odd}})
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		spend, err := l.Spend(ctx, farebox.SpendQuery{})
		if want := r.Cost.Add(farebox.Cents(1)); err != nil || spend[0].Cost != want {
			t.Errorf("%+v, %v; want %s", spend, err, want)
		}
		if call, err := l.Call(ctx, odd); err != nil || len(call) != 1 || len(call[0].Adjustments) != 1 {
			t.Errorf("%+v, %v", call, err)
		}
	})
}
