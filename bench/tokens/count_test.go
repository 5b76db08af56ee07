package tokens

import (
	"errors"
	"testing"
)

// texts gives all that is measured.
func texts(tb testing.TB) []Text {
	tb.Helper()
	all, err := Samples(SamplesFolder)
	if err != nil {
		tb.Fatal(err)
	}
	long, err := Long()
	if err != nil {
		tb.Fatal(err)
	}
	return append(append(all, long...), Runs(100_000)...)
}

// BenchmarkCount has the name BenchmarkCount/<library>/<encoding>/<text>. The library counts in a program of its own, and
// its figures are those that the program takes: N counts of the text, the pipe left out.
func BenchmarkCount(b *testing.B) {
	folder := b.TempDir()
	all := texts(b)
	for _, library := range Libraries() {
		b.Run(library.Name, func(b *testing.B) {
			command, err := library.Command(folder)
			if errors.Is(err, ErrAbsent) {
				b.Skip(err)
			}
			if err != nil {
				b.Fatal(err)
			}
			for _, encoding := range Encodings {
				b.Run(encoding, func(b *testing.B) { benchmarkTexts(b, library, command, encoding, all) })
			}
		})
	}
}

func benchmarkTexts(b *testing.B, library Library, command []string, encoding string, all []Text) {
	peer := start(b, command)
	if _, err := peer.Open(encoding); err != nil {
		b.Skip(err)
	}
	for _, text := range all {
		b.Run(text.Name, func(b *testing.B) {
			if _, err := peer.Text(text.Text); err != nil {
				b.Fatal(err)
			}
			f, err := peer.Measure(b.N)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(f.Time.Nanoseconds()), "ns/op")
			b.ReportMetric(Rate(text.Text, f.Time), "MB/s")
			if library.Allocates {
				b.ReportMetric(f.Allocs, "allocs/op")
				b.ReportMetric(f.Bytes, "B/op")
			}
		})
	}
}

// BenchmarkRoundTrip has a chat prompt counted over the pipe, as a program would that leaves counting to another one.
func BenchmarkRoundTrip(b *testing.B) {
	text := texts(b)[0].Text
	for _, library := range Libraries() {
		b.Run(library.Name, func(b *testing.B) {
			command, err := library.Command(b.TempDir())
			if errors.Is(err, ErrAbsent) {
				b.Skip(err)
			}
			if err != nil {
				b.Fatal(err)
			}
			peer := start(b, command)
			if _, err := peer.Open("cl100k_base"); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := peer.Text(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// start starts a program that ends with the test.
func start(tb testing.TB, command []string) *Peer {
	tb.Helper()
	peer, err := Start(command)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := peer.Close(); err != nil {
			tb.Error(err)
		}
	})
	return peer
}

// TestProgramsAgree holds that what is measured counts right: farebox's program as tiktoken-go's, on all texts that the
// latter gets through soon.
func TestProgramsAgree(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	var peers []*Peer
	for _, library := range Libraries()[:2] {
		command, err := library.Command(folder)
		if err != nil {
			t.Fatal(err)
		}
		peers = append(peers, start(t, command))
	}
	short, err := Samples(SamplesFolder)
	if err != nil {
		t.Fatal(err)
	}
	for _, encoding := range Encodings {
		for _, peer := range peers {
			if loaded, err := peer.Open(encoding); err != nil || loaded.Time <= 0 || loaded.Kept < 1<<20 {
				t.Fatalf("Open(%s) = %+v, %v", encoding, loaded, err)
			}
		}
		for _, text := range append(short, Runs(500)...) {
			got, err := peers[0].Text(text.Text)
			want, err2 := peers[1].Text(text.Text)
			if err != nil || err2 != nil || got.Tokens != want.Tokens || got.Tokens == 0 {
				t.Errorf("%s, %s: %d and %d tokens: %v, %v", encoding, text.Name, got.Tokens, want.Tokens, err, err2)
			}
		}
	}
	for _, peer := range peers {
		if loaded, err := peer.Open("gpt2_base"); err == nil {
			t.Errorf("an unknown encoding is opened: %+v", loaded)
		}
	}
}
