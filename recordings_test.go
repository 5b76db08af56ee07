package farebox_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/farebox-go/farebox"
)

// TestRecordedExchanges replays what real providers have sent.
func TestRecordedExchanges(t *testing.T) {
	all := recordedExchanges(t)
	if len(all) < 100 {
		t.Fatalf("only %d exchanges were found", len(all))
	}
	replay(t, all)
}

// TestHandMadeExchanges replays what providers are known to send and no recording has.
func TestHandMadeExchanges(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "exchanges", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no exchanges: %v", err)
	}
	var all []*exchange
	for _, file := range files {
		all = append(all, readExchanges(t, file, filepath.Base(file))...)
	}
	for _, x := range all {
		if x.Expect == nil || x.Expect.Why == "" {
			t.Errorf("%s does not say what is expected of it", x.name)
		}
	}
	replay(t, all)
}

// replay plays every exchange through the transport and again through the Client, and compares the ledgers with the
// receipts that the calls handed out.
func replay(t *testing.T, all []*exchange) {
	server := newReplayServer(t)
	for _, way := range []struct {
		name string
		send func(r *replayer, t *testing.T, x *exchange) farebox.Receipt
		by   func(*exchange) bool
	}{
		{"transport", (*replayer).throughTransport, func(*exchange) bool { return true }},
		{"client", (*replayer).throughClient, func(x *exchange) bool { return recordedAPIs[x.api].client }},
	} {
		r := newReplayer(t, server)
		t.Run(way.name, func(t *testing.T) {
			for _, x := range all {
				if !way.by(x) {
					continue
				}
				t.Run(x.name, func(t *testing.T) {
					t.Parallel()
					receipt := way.send(r, t, x)
					if receipt.ID == "" {
						r.countNone(x)
						return
					}
					if x.unknown() {
						checkSound(t, &receipt)
					} else {
						x.checkReceipt(t, &receipt)
					}
					r.count(x, &receipt)
				})
			}
		})
		r.report(t, way.name)
	}
}

// replayer sends exchanges through one Meter.
type replayer struct {
	server *replayServer
	meter  *farebox.Meter

	mu      sync.Mutex
	clients map[string]*farebox.Client // by base URL
	table   map[string]*tableRow       // by provider and API
	total   farebox.Money
	none    int // exchanges without a receipt
}

// house is a model whose price is that of the test's own, for exchanges whose cost is worked out by hand.
var house = farebox.Model{Name: "house-model", Aliases: []string{"house/model"}, Prices: []farebox.Price{{
	Source: "test",
	Rates: farebox.Rates{
		farebox.DimensionInput:      farebox.MustPerMillion("1"),
		farebox.DimensionCacheRead:  farebox.MustPerMillion("0.1"),
		farebox.DimensionCacheWrite: farebox.MustPerMillion("1.25"),
		farebox.DimensionAudioInput: farebox.MustPerMillion("8"),
		farebox.DimensionOutput:     farebox.MustPerMillion("4"),
	},
}}}

func newReplayer(t *testing.T, server *replayServer) *replayer {
	t.Helper()
	meter, err := farebox.NewMeter(farebox.WithBaseTransport(server), farebox.WithModels(house))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := meter.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return &replayer{server: server, meter: meter, clients: map[string]*farebox.Client{}, table: map[string]*tableRow{}}
}

// throughTransport sends an exchange's request with plain net/http, as another SDK would, and reads the answer whole.
func (r *replayer) throughTransport(t *testing.T, x *exchange) farebox.Receipt {
	ctx, receipts := farebox.ContextWithReceipts(t.Context())
	ctx, played := r.server.start(ctx, x)
	req, err := http.NewRequestWithContext(ctx, x.Request.Method, x.Request.URL, bytes.NewReader(x.Request.Body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range x.Request.Headers {
		if !framing[http.CanonicalHeaderKey(name)] {
			req.Header.Set(name, value)
		}
	}
	if x.contentType != "" {
		req.Header.Set("Content-Type", x.contentType)
	}
	resp, err := r.meter.HTTPClient().Do(req)
	if err != nil {
		t.Fatalf("an error that the recording does not have: %v", err)
	}
	got, err := io.ReadAll(resp.Body)
	if closing := resp.Body.Close(); err != nil || closing != nil {
		t.Errorf("reading the answer: %v, closing it: %v", err, closing)
	}
	if resp.StatusCode != x.Response.Status {
		t.Errorf("status %d, want %d", resp.StatusCode, x.Response.Status)
	}
	all := receipts.All()
	if why := x.unreceipted(); why != "" {
		if len(all) != 0 || !bytes.Equal(got, x.body()) || !bytes.Equal(played.received(t), x.Request.Body) {
			t.Errorf("%s, and yet %d receipts, or bytes changed", why, len(all))
		}
		return farebox.Receipt{}
	}
	if x.unknown() && len(all) == 0 {
		return farebox.Receipt{}
	}
	if len(all) != 1 {
		t.Fatalf("%d receipts, want 1", len(all))
	}
	x.checkBytes(t, got, &all[0])
	sent := played.received(t)
	if len(all[0].Edits) == 0 && !bytes.Equal(sent, x.Request.Body) {
		t.Errorf("sent %s, want %s", sent, x.Request.Body)
	}
	if len(all[0].Edits) > 0 {
		checkSent(t, sent, x.Request.Body, all[0].Edits)
	}
	return all[0]
}

// checkBytes compares what the caller read with what the provider sent. Where farebox asked for the usage of a stream,
// and only there, the events that carry nothing else are missing.
func (x *exchange) checkBytes(t *testing.T, got []byte, receipt *farebox.Receipt) {
	t.Helper()
	want, dropped := x.body(), 0
	if slices.Contains(receipt.Edits, "stream_options.include_usage") {
		read := x.read()
		if x.Response.SSE != nil {
			var stream string
			stream, dropped = read.passed()
			want = []byte(stream)
		}
	}
	if !bytes.Equal(got, want) {
		at := 0
		for at < min(len(got), len(want)) && got[at] == want[at] {
			at++
		}
		t.Errorf("of %d bytes want %d; they differ from byte %d on:\n got %.100q\nwant %.100q", len(got), len(want), at, got[at:], want[at:])
	}
	if x.Expect != nil && x.Expect.Dropped != dropped {
		t.Errorf("%d events were taken out, want %d", dropped, x.Expect.Dropped)
	}
}

// checkSent compares the JSON that reached the server with what was asked for, but for the edits that the receipt names.
func checkSent(t *testing.T, sent, asked json.RawMessage, edits []string) {
	t.Helper()
	if len(asked) == 0 {
		return
	}
	var got, want map[string]any
	if err := json.Unmarshal(sent, &got); err != nil {
		t.Fatalf("%v in %s", err, sent)
	}
	if err := json.Unmarshal(asked, &want); err != nil {
		t.Fatal(err)
	}
	for _, edit := range edits {
		switch edit {
		case "stream_options.include_usage":
			options, _ := got["stream_options"].(map[string]any)
			if options["include_usage"] != true {
				t.Errorf("the receipt says %s, and sent was %s", edit, sent)
			}
			delete(got, "stream_options")
			delete(want, "stream_options")
		case "max_tokens→max_completion_tokens":
			got["max_tokens"] = got["max_completion_tokens"]
			delete(got, "max_completion_tokens")
		default:
			t.Errorf("unknown edit %q", edit)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("sent %s\nwant %s", sent, asked)
	}
}

// tableRow adds up what came of the exchanges of one provider and API.
type tableRow struct {
	exchanges, usages, reported, equal, computed int
	sources                                      map[farebox.Source]int
}

var tolerance = farebox.MustMoney("0.000000000001")

func near(a, b farebox.Money) bool { return !tolerance.Less(a.Sub(b).Abs()) }

// countNone notes an exchange that has no receipt.
func (r *replayer) countNone(x *exchange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := x.provider + " " + x.api
	if r.table[key] == nil {
		r.table[key] = &tableRow{sources: map[farebox.Source]int{}}
	}
	row := r.table[key]
	row.exchanges++
	row.sources[farebox.Source("none ("+cmp.Or(x.unreceipted(), "unknown API")+")")]++
	r.none++
}

func (r *replayer) count(x *exchange, receipt *farebox.Receipt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total = r.total.Add(receipt.Cost)
	key := x.provider + " " + x.api
	row := r.table[key]
	if row == nil {
		row = &tableRow{sources: map[farebox.Source]int{}}
		r.table[key] = row
	}
	row.exchanges++
	row.sources[receipt.Source]++
	if receipt.RawUsage != nil {
		row.usages++
	}
	if stated := receipt.Reported; stated != nil {
		row.reported++
		if x.cost != nil && near(stated.Charge, *x.cost) {
			row.equal++
		}
		if near(receipt.Computed, receipt.Cost) {
			row.computed++
		}
	}
}

// report logs the table and compares the ledger with the receipts.
func (r *replayer) report(t *testing.T, way string) {
	t.Helper()
	keys := make([]string, 0, len(r.table))
	exchanges := 0
	for key, row := range r.table {
		keys = append(keys, key)
		exchanges += row.exchanges
	}
	slices.Sort(keys)
	t.Logf("%-45s %9s %6s %8s %5s %8s  sources", way, "exchanges", "usage", "reported", "equal", "computed")
	for _, key := range keys {
		row := r.table[key]
		var sources []string
		for source, n := range row.sources {
			sources = append(sources, string(source)+" "+strconv.Itoa(n))
		}
		slices.Sort(sources)
		t.Logf("%-45s %9d %6d %8d %5d %8d  %s", key, row.exchanges, row.usages, row.reported, row.equal, row.computed, strings.Join(sources, ", "))
	}
	ledger := r.meter.Ledger().Total()
	for _, later := range r.meter.Ledger().Adjustments() {
		r.total = r.total.Add(later.Amount) // of an answer made in the background that was looked at after it was asked for
	}
	if ledger.Attempts != int64(exchanges-r.none) || ledger.Cost.Cmp(r.total) != 0 {
		t.Errorf("the ledger has %d attempts of %s, the receipts are %d of %s", ledger.Attempts, ledger.Cost, exchanges-r.none, r.total)
	}
}
