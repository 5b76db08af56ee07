package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// reopen opens a journal and collects its records.
func reopen(t testing.TB, path string) (*File, []string, error) {
	t.Helper()
	var records []string
	f, err := Open(path, func(record []byte) error {
		records = append(records, string(record))
		return nil
	})
	return f, records, err
}

func mustOpen(t testing.TB, path string) (*File, []string) {
	t.Helper()
	f, records, err := reopen(t, path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f, records
}

// crash ends a journal as the end of its process would: without a last commit.
func crash(f *File) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settle()
	f.failed = ErrClosed
	_ = f.release()
}

func TestRecordsComeBack(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "j")
	f, records := mustOpen(t, path)
	if records != nil {
		t.Fatalf("a new journal holds %q", records)
	}
	want := []string{"one", "", strings.Repeat("three", 1000), magic + "a record that looks like a frame"}
	for _, record := range want {
		if _, err := f.Append([]byte(record)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
	if _, err := f.Append([]byte("late")); !errors.Is(err, ErrClosed) {
		t.Errorf("Append after Close: %v", err)
	}
	_, records = mustOpen(t, path)
	if fmt.Sprintf("%q", records) != fmt.Sprintf("%q", want) {
		t.Errorf("the journal holds %q, want %q", records, want)
	}
}

func TestOneProcessAtATime(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "j")
	f, _ := mustOpen(t, path)
	if _, _, err := reopen(t, path); !errors.Is(err, ErrLocked) {
		t.Errorf("a second Open: %v, want ErrLocked", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, path)
}

func TestForeignFile(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"{\"receipt\":{}}\n and more than a preamble's worth", "farebox journal 2\n", "x"} {
		path := filepath.Join(t.TempDir(), "j")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := reopen(t, path); !errors.Is(err, ErrForeign) {
			t.Errorf("%q: %v, want ErrForeign", content, err)
		}
		if after, _ := os.ReadFile(path); string(after) != content {
			t.Errorf("%q was changed to %q", content, after)
		}
	}
}

// TestCutAtEveryByte cuts the file at every byte, as a crash in the middle of a write does.
func TestCutAtEveryByte(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "j")
	f, _ := mustOpen(t, path)
	want := []string{"first", "second, which is longer", "third"}
	ends := []int64{int64(len(preamble))}
	for _, record := range want {
		end, err := f.Append([]byte(record))
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, end)
	}
	crash(f)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) {
		path := filepath.Join(t.TempDir(), "cut")
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		kept := 0
		for kept < len(want) && ends[kept+1] <= int64(cut) {
			kept++
		}
		f, records, err := reopen(t, path)
		if err != nil || fmt.Sprint(records) != fmt.Sprint(want[:kept]) {
			t.Fatalf("cut at %d: %q, %v; want %q", cut, records, err, want[:kept])
		}
		if _, err := f.Append([]byte("after")); err != nil {
			t.Fatal(err)
		}
		crash(f)
		if _, records, err = reopen(t, path); err != nil || len(records) != kept+1 || records[kept] != "after" {
			t.Fatalf("cut at %d, then appended: %q, %v", cut, records, err)
		}
	}
}

// TestCrashes appends, commits and rewrites at random, loses any part of what was not committed, as a loss of power does,
// and looks for everything that was committed, in order.
func TestCrashes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := 0
	rapid.Check(t, func(t *rapid.T) {
		files++
		path := filepath.Join(dir, fmt.Sprint(files))
		var committed, appended []string
		for round := range rapid.IntRange(1, 4).Draw(t, "rounds") {
			f, records, err := openFor(path)
			if err != nil {
				t.Fatal(err)
			}
			if len(records) < len(committed) || fmt.Sprint(records[:len(committed)]) != fmt.Sprint(committed) {
				t.Fatalf("round %d: %q came back, %q had been committed", round, records, committed)
			}
			committed, appended = records, nil
			safe := f.Size()
			for range rapid.IntRange(0, 8).Draw(t, "steps") {
				switch rapid.IntRange(0, 5).Draw(t, "step") {
				default:
					record := rapid.StringN(0, 40, -1).Draw(t, "record")
					if _, err := f.Append([]byte(record)); err != nil {
						t.Fatal(err)
					}
					appended = append(appended, record)
				case 0:
					if err := f.Commit(context.Background(), f.written); err != nil {
						t.Fatal(err)
					}
					committed, appended = append(committed, appended...), nil
					safe = f.Size()
				case 1:
					all := append(append([]string(nil), committed...), appended...)
					var snapshot [][]byte
					for _, record := range all {
						snapshot = append(snapshot, []byte(record))
					}
					if err := f.Rewrite(snapshot); err != nil {
						t.Fatal(err)
					}
					committed, appended = all, nil
					safe = f.Size()
				}
			}
			crash(f)
			losePower(t, path, safe)
		}
	})
}

func openFor(path string) (*File, []string, error) {
	var records []string
	f, err := Open(path, func(record []byte) error {
		records = append(records, string(record))
		return nil
	})
	return f, records, err
}

// losePower leaves of what stands behind safe whatever a disk may have of it: the beginning, with holes.
func losePower(t *rapid.T, path string, safe int64) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tail := data[safe:]
	tail = tail[:rapid.IntRange(0, len(tail)).Draw(t, "kept")]
	for range rapid.IntRange(0, 2).Draw(t, "holes") {
		if len(tail) == 0 {
			break
		}
		from := rapid.IntRange(0, len(tail)-1).Draw(t, "hole")
		clear(tail[from:min(len(tail), from+rapid.IntRange(1, 16).Draw(t, "size"))])
	}
	if err := os.WriteFile(path, data[:safe+int64(len(tail))], 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDamageIsNotACrash destroys a byte of a committed record, which must not be taken for the end of the journal.
func TestDamageIsNotACrash(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "j")
	f, _ := mustOpen(t, path)
	first, err := f.Append([]byte("what was spent"))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(context.Background(), first); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Append([]byte("more")); err != nil {
		t.Fatal(err)
	}
	crash(f)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := len(preamble); at < int(first); at++ {
		damaged := bytes.Clone(whole)
		damaged[at] ^= 0x40
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, records, err := reopen(t, path); !errors.Is(err, ErrDamaged) {
			t.Fatalf("byte %d destroyed: %q, %v; want ErrDamaged", at, records, err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(after, damaged) {
			t.Fatalf("byte %d destroyed: Open has changed the file", at)
		}
	}
}

func TestReplayMayRefuse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "j")
	f, _ := mustOpen(t, path)
	if _, err := f.Append([]byte("unknown")); err != nil {
		t.Fatal(err)
	}
	crash(f)
	refusal := errors.New("no such record")
	if _, err := Open(path, func([]byte) error { return refusal }); !errors.Is(err, refusal) {
		t.Errorf("Open: %v", err)
	}
	if _, records := mustOpen(t, path); len(records) != 1 {
		t.Errorf("after a refused replay the journal holds %q", records)
	}
}

func TestCommitTogether(t *testing.T) {
	t.Parallel()
	f, _ := mustOpen(t, filepath.Join(t.TempDir(), "j"))
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			end, err := f.Append(fmt.Appendf(nil, "record %d", i))
			if err == nil {
				err = f.Commit(context.Background(), end)
			}
			if err != nil || f.Durable() < end {
				t.Errorf("committed to %d of %d: %v", f.Durable(), end, err)
			}
		})
	}
	all.Wait()
}

func TestCommitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	f, _ := mustOpen(t, filepath.Join(t.TempDir(), "j"))
	end, err := f.Append([]byte("record"))
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	stuck := make(chan struct{}) // a disk that does not answer
	f.syncing = stuck
	f.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := f.Commit(ctx, end); !errors.Is(err, context.Canceled) {
		t.Errorf("Commit: %v", err)
	}
	f.mu.Lock()
	f.syncing = nil
	close(stuck)
	f.mu.Unlock()
}

func TestAfterAFailedWriteNothingCounts(t *testing.T) {
	t.Parallel()
	f, _ := mustOpen(t, filepath.Join(t.TempDir(), "j"))
	end, err := f.Append([]byte("record"))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.file.Close(); err != nil { // a disk that is gone
		t.Fatal(err)
	}
	if err := f.Commit(context.Background(), end); err == nil {
		t.Error("Commit says that the record is on disk")
	}
	if _, err := f.Append([]byte("more")); err == nil {
		t.Error("Append after a failed write")
	}
}

// TestCommitAcrossRewrite waits for records that a snapshot has taken the place of.
func TestCommitAcrossRewrite(t *testing.T) {
	t.Parallel()
	f, _ := mustOpen(t, filepath.Join(t.TempDir(), "j"))
	var end int64
	for range 100 {
		var err error
		if end, err = f.Append([]byte("a record that the snapshot leaves out")); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Rewrite([][]byte{[]byte("snapshot")}); err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(context.Background(), end); err != nil {
		t.Fatal(err)
	}
	next, err := f.Append([]byte("next"))
	if err != nil || next <= end {
		t.Fatalf("the place behind the next record is %d, %v; it was %d before", next, err, end)
	}
	if err := f.Commit(context.Background(), next); err != nil {
		t.Fatal(err)
	}
}

func TestLongRecord(t *testing.T) {
	t.Parallel()
	f, _ := mustOpen(t, filepath.Join(t.TempDir(), "j"))
	if _, err := f.Append(make([]byte, MaxRecord+1)); err == nil || !strings.Contains(err.Error(), "the longest is") {
		t.Errorf("Append: %v", err)
	}
	if _, err := f.Append([]byte("short")); err != nil {
		t.Errorf("Append after a record that was too long: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	whole := []byte(preamble)
	whole = appendFrame(whole, []byte("record"), 0)
	f.Add(appendFrame(whole, []byte("second"), int64(len(whole))))
	f.Add([]byte(preamble + magic))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "j")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		journal, first, err := reopen(t, path)
		if err != nil {
			if after, _ := os.ReadFile(path); !bytes.Equal(after, content) && len(content) >= len(preamble) {
				t.Fatalf("%v, and the file was changed", err)
			}
			return
		}
		if err := journal.Close(); err != nil {
			t.Fatal(err)
		}
		journal, again, err := reopen(t, path)
		if err != nil || fmt.Sprint(first) != fmt.Sprint(again) {
			t.Fatalf("opened again: %q, %v; want %q", again, err, first)
		}
		_ = journal.Close()
	})
}

func BenchmarkAppend(b *testing.B) {
	f, _ := mustOpen(b, filepath.Join(b.TempDir(), "j"))
	record := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Append(record); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCommit(b *testing.B) {
	f, _ := mustOpen(b, filepath.Join(b.TempDir(), "j"))
	record := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		end, err := f.Append(record)
		if err == nil {
			err = f.Commit(context.Background(), end)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
