package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/farebox-go/farebox/store"
	"github.com/farebox-go/farebox/store/storetest"
	"pgregory.net/rapid"
)

func TestFile(t *testing.T) {
	t.Parallel()
	files := 0
	storetest.Run(t, func(t *testing.T) store.Store {
		files++
		return openFile(t, filepath.Join(t.TempDir(), fmt.Sprint(files)))
	})
}

func openFile(t testing.TB, path string) *store.File {
	t.Helper()
	f, err := store.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// TestFileOverRestarts opens a file again and again, with clients that gave back and clients that did not, and finds
// spent what was granted and not returned, whatever the windows.
func TestFileOverRestarts(t *testing.T) {
	t.Parallel()
	dir, files := t.TempDir(), 0
	now := time.Now()
	at := func(d time.Duration) int64 { return now.Add(d).UnixNano() }
	accounts := []store.Account{
		{Key: "total"},
		{Key: "day", Window: store.Window{Start: at(-time.Hour), End: at(time.Hour), View: at(-time.Hour)}},
		{Key: "rolling", Window: store.Window{Start: at(-3 * time.Hour), End: at(time.Hour), View: at(-5 * time.Hour)}},
		{Key: "rolling", Window: store.Window{Start: at(-2 * time.Hour), End: at(time.Hour), View: at(-4 * time.Hour)}},
		{Key: "rolling", Window: store.Window{Start: at(-time.Hour), End: at(time.Hour), View: at(-3 * time.Hour)}},
	}
	rapid.Check(t, func(t *rapid.T) {
		files++
		path := filepath.Join(dir, fmt.Sprint(files))
		want := make([]int64, len(accounts)) // of each window by itself
		bucket := 2
		for process := range rapid.IntRange(1, 4).Draw(t, "processes") {
			f, err := store.OpenFile(path)
			if err != nil {
				t.Fatal(err)
			}
			checkBalances(t, f, accounts, want)
			for step := range rapid.IntRange(0, 6).Draw(t, "steps") {
				i := rapid.IntRange(0, 2).Draw(t, "account")
				if i == 2 { // buckets only go forward
					bucket = rapid.IntRange(bucket, 4).Draw(t, "bucket")
					i = bucket
				}
				client := fmt.Sprintf("process %d, client %d", process, step)
				amount := rapid.Int64Range(1, 9).Draw(t, "amount")
				back := rapid.Int64Range(0, amount).Draw(t, "returned")
				line := store.Line{Account: accounts[i], Cap: 1000, Need: amount}
				if _, err := f.Sync(context.Background(), client, []store.Line{line}); err != nil {
					t.Fatal(err)
				}
				line.Granted, line.Returned, line.Need = amount, back, 0
				if _, err := f.Sync(context.Background(), client, []store.Line{line}); err != nil {
					t.Fatal(err)
				}
				want[i] += amount - back
				if rapid.Bool().Draw(t, "corrected") && want[i] > 0 {
					want[i]--
					fix := []store.Correction{{Account: accounts[i], Amount: -1}}
					for range 2 {
						if err := f.Correct(context.Background(), client, fix); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			checkBalances(t, f, accounts, want)
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func checkBalances(t *rapid.T, s store.Store, accounts []store.Account, windows []int64) {
	balances, err := s.Balances(context.Background(), accounts)
	if err != nil {
		t.Fatal(err)
	}
	want := []int64{windows[0], windows[1], 0, 0, windows[2] + windows[3] + windows[4]}
	for _, i := range []int{0, 1, 4} {
		if balances[i].Used != want[i] {
			t.Fatalf("account %+v: used %d, want %d", accounts[i], balances[i].Used, want[i])
		}
	}
}

func TestFileIsOneProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "budgets")
	openFile(t, path)
	if _, err := store.OpenFile(path); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("opened twice: %v, want ErrUnavailable", err)
	}
}

func TestFileOfAnotherKind(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "budgets")
	if err := os.WriteFile(path, []byte("receipts, or whatever a mistake in a path leads to"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.OpenFile(path); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("opened a file of another kind: %v", err)
	}
}

// TestFileStaysSmall: a file is written anew as it grows, and loses nothing by it.
func TestFileStaysSmall(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "budgets")
	f := openFile(t, path)
	a := store.Account{Key: "total"}
	const messages = 30_000
	lines := []store.Line{{Account: a, Cap: 2 * messages, Need: 2 * messages}}
	for i := range int64(messages) {
		if _, err := f.Sync(context.Background(), "client", lines); err != nil {
			t.Fatal(err)
		}
		lines[0] = store.Line{Account: a, Cap: 2 * messages, Granted: 2 * messages, Returned: i}
	}
	if info, err := os.Stat(path); err != nil || info.Size() > 5<<20 {
		t.Fatalf("the file: %+v, %v", info, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	balances, err := openFile(t, path).Balances(context.Background(), []store.Account{a})
	if err != nil || balances[0].Used != messages+2 {
		t.Errorf("Balances: %+v, %v; want %d", balances, err, messages+2)
	}
}

// TestRecoverFile: who knows what earlier processes did not spend may give it back, as often as it likes, and only then.
func TestRecoverFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "budgets")
	a := store.Account{Key: "total"}
	f, err := store.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	need := store.Line{Account: a, Cap: 1000, Need: 100}
	for _, client := range []string{"first", "second"} {
		if _, err := f.Sync(context.Background(), client, []store.Line{need}); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f, err = store.RecoverFile(path, func(s store.Store) {
		for range 2 {
			reply, err := s.Sync(context.Background(), "first", []store.Line{{Account: a}})
			if err != nil || reply.Lines[0].Granted != 100 {
				t.Fatalf("what the first was granted: %+v, %v", reply, err)
			}
			if _, err := s.Sync(context.Background(), "first", []store.Line{{Account: a, Granted: 100, Returned: 70}}); err != nil {
				t.Fatal(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	reply, err := f.Sync(context.Background(), "first", []store.Line{{Account: a}})
	if err != nil || reply.Lines[0].Granted != 0 || reply.Lines[0].Used != 130 || reply.Lines[0].Clients != 0 {
		t.Errorf("once it is open: %+v, %v; want 130 spent by nobody who is there", reply, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	balances, err := openFile(t, path).Balances(context.Background(), []store.Account{a})
	if err != nil || balances[0].Used != 130 {
		t.Errorf("after a restart: %+v, %v; want 130", balances, err)
	}
}
