package sqlstore

import (
	"bytes"
	"cmp"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/farebox-go/farebox"
)

// batch is what one transaction writes: rows that are made before it begins.
type batch struct {
	taken       int   // entries that it is made of
	nonce       int64 // tells its first chunk from one of the same key that another process has written
	tries       int
	chunks      []chunk
	receipts    []receiptRow
	adjustments []adjustmentRow
	hours, days map[sumKey]*sum
}

// chunk is receipts as JSON Lines, compressed.
type chunk struct {
	id, lastStart int64
	lines         []byte
}

type receiptRow struct {
	chunk, line                         int
	id, call                            string
	startedAt                           int64
	series                              *series
	certainty                           int
	input, output, costMicros, costRest int64
}

type adjustmentRow struct {
	key                  int64
	receiptID            string
	costMicros, costRest int64
	text                 string
}

// series is what receipts have in common; its route is the one without tags. Its id follows from its contents, so that
// processes agree on it without asking each other.
type series struct {
	route                           *series
	id                              int64
	written                         bool // looked at by the writer alone
	endpoint, keyLabel, model, tags string
}

type sumKey struct {
	bucket int64
	series *series
}

type sum struct{ attempts, unpriced, unsettled, input, output, costMicros, costRest int64 }

const (
	receiptsPerChunk = 256
	keysPerChunk     = 1024 // of which a chunk uses those of its receipts
)

// The certainties of a cost.
const (
	costKnown = iota
	costUnsettled
	costUnpriced
)

func certaintyOf(s farebox.Source) int {
	switch s {
	case farebox.Unpriced:
		return costUnpriced
	case farebox.Estimated, farebox.Held:
		return costUnsettled
	}
	return costKnown
}

var lastKey atomic.Int64

// newKey is a key that sorts by time, with room for those of a chunk behind it: 41 bits of milliseconds since 2020, and 12 random
// ones to tell processes apart. Two that draw the same notice when they write.
func newKey() int64 {
	const start2020 = 1_577_836_800_000
	drawn := (time.Now().UnixMilli()-start2020)<<22 | rand.Int64N(1<<12)<<10
	for {
		last := lastKey.Load()
		if key := max(drawn, last+keysPerChunk); lastKey.CompareAndSwap(last, key) {
			return key
		}
	}
}

// encoder makes batches of entries. It is used by one goroutine.
type encoder struct {
	series     map[string]*series
	key, lines []byte
	compressor *flate.Writer
}

// mostSeries bounds the memory of series that were met.
const mostSeries = 100_000

func newEncoder() *encoder {
	compressor, _ := flate.NewWriter(nil, flate.BestSpeed) // its errors are of levels that there are not
	return &encoder{series: make(map[string]*series), compressor: compressor}
}

// encode makes a batch. A receipt that has no JSON form is told to failed, and left out.
func (e *encoder) encode(entries []entry, failed func(id string, err error)) *batch {
	if len(e.series) > mostSeries {
		clear(e.series)
	}
	b := &batch{taken: len(entries), nonce: rand.Int64()}
	b.receipts = make([]receiptRow, 0, len(entries))
	e.lines = e.lines[:0]
	open := chunk{id: newKey()}
	line := 0
	for i := range entries {
		if a := entries[i].adjustment; a != nil {
			if err := b.adjust(a, &open); err != nil {
				failed(a.ReceiptID, err)
			}
			continue
		}
		r := entries[i].receipt
		lines, err := r.AppendJSON(e.lines)
		if err != nil {
			failed(r.ID, err)
			continue
		}
		e.lines = append(lines, '\n')
		row := e.row(r)
		row.chunk, row.line = len(b.chunks), line
		b.receipts = append(b.receipts, row)
		open.lastStart = max(open.lastStart, row.startedAt)
		if line++; line == receiptsPerChunk {
			b.chunks = append(b.chunks, e.compressed(open))
			open, line = chunk{id: newKey()}, 0
		}
	}
	if line > 0 || len(b.chunks) == 0 {
		b.chunks = append(b.chunks, e.compressed(open))
	}
	b.addUp()
	return b
}

// compressed ends a chunk with the lines that were gathered.
func (e *encoder) compressed(c chunk) chunk {
	var into bytes.Buffer
	into.Grow(len(e.lines)/4 + 64)
	e.compressor.Reset(&into)
	_, _ = e.compressor.Write(e.lines) // a buffer takes everything
	_ = e.compressor.Close()
	e.lines = e.lines[:0]
	c.lines = into.Bytes()
	return c
}

func (e *encoder) row(r *farebox.Receipt) receiptRow {
	micros, rest := split(r.Cost)
	return receiptRow{
		id: column(r.ID), call: column(r.CallID), startedAt: nanosOf(r.Start), series: e.seriesOf(r, r.Tags),
		certainty: certaintyOf(r.Source), input: r.Usage.InputTokens(), output: r.Usage.OutputTokens(), costMicros: micros, costRest: rest,
	}
}

// seriesOf finds what a receipt has in common with others.
func (e *encoder) seriesOf(r *farebox.Receipt, tags farebox.Tags) *series {
	model := cmp.Or(r.Model, r.ModelAsked)
	e.key = appendText(appendText(appendText(e.key[:0], r.Endpoint), r.KeyLabel), model)
	var few [8]string
	names := few[:0]
	for name := range tags {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		e.key = appendText(appendText(e.key, name), tags[name])
	}
	if known := e.series[string(e.key)]; known != nil {
		return known
	}
	hash := sha256.Sum256(e.key)
	s := &series{id: int64(binary.BigEndian.Uint64(hash[:]) >> 1), endpoint: text(r.Endpoint), keyLabel: text(r.KeyLabel), model: text(model), tags: "{}"}
	e.series[string(e.key)] = s
	s.route = s
	if len(tags) > 0 {
		encoded, _ := json.Marshal(tags) // texts always have a JSON form
		s.tags = string(encoded)
		s.route = e.seriesOf(r, nil)
	}
	return s
}

func appendText(dst []byte, text string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

func (b *batch) adjust(a *farebox.Adjustment, open *chunk) error {
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if len(b.adjustments)%keysPerChunk == 0 {
		b.adjustments = append(b.adjustments, adjustmentRow{key: newKey()})
	} else {
		b.adjustments = append(b.adjustments, adjustmentRow{key: b.adjustments[len(b.adjustments)-1].key + 1})
	}
	row := &b.adjustments[len(b.adjustments)-1]
	row.receiptID, row.text = column(a.ReceiptID), string(text)
	row.costMicros, row.costRest = split(a.Amount)
	open.lastStart = max(open.lastStart, nanosOf(a.At))
	return nil
}

// addUp makes the sums of the batch's receipts.
func (b *batch) addUp() {
	b.hours, b.days = make(map[sumKey]*sum), make(map[sumKey]*sum)
	for i := range b.receipts {
		r := &b.receipts[i]
		one := sum{attempts: 1, input: r.input, output: r.output, costMicros: r.costMicros, costRest: r.costRest}
		switch r.certainty {
		case costUnpriced:
			one.unpriced = 1
		case costUnsettled:
			one.unsettled = 1
		}
		add(b.hours, sumKey{floor(r.startedAt, nanosPerHour), r.series.route}, &one)
		add(b.days, sumKey{floor(r.startedAt, nanosPerDay), r.series}, &one)
	}
}

func add(sums map[sumKey]*sum, key sumKey, more *sum) {
	s := sums[key]
	if s == nil {
		s = &sum{}
		sums[key] = s
	}
	s.attempts += more.attempts
	s.unpriced += more.unpriced
	s.unsettled += more.unsettled
	s.input += more.input
	s.output += more.output
	s.costMicros += more.costMicros
	s.costRest += more.costRest
}

// rekey gives the batch other keys, since another process has drawn the same.
func (b *batch) rekey() {
	b.nonce = rand.Int64()
	for i := range b.chunks {
		b.chunks[i].id = newKey()
	}
	for i := range b.adjustments {
		if i%keysPerChunk == 0 {
			b.adjustments[i].key = newKey()
		} else {
			b.adjustments[i].key = b.adjustments[i-1].key + 1
		}
	}
}

const (
	nanosPerHour = int64(time.Hour)
	nanosPerDay  = 24 * nanosPerHour
)

// floor is the number of the hour or the day in UTC since 1970.
func floor(nanos, unit int64) int64 {
	n := nanos / unit
	if nanos%unit < 0 {
		n--
	}
	return n
}

// nanosOf is an instant in nanoseconds since 1970, which the years 1678 to 2261 have.
func nanosOf(t time.Time) int64 {
	switch year := t.Year(); {
	case year < 1678:
		return math.MinInt64
	case year > 2261:
		return math.MaxInt64
	}
	return t.UnixNano()
}

// text is what every database takes as one.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// column is a text of at most 100 characters, as the columns for ids have. The receipt itself has it whole.
func column(s string) string {
	if s = text(s); len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "")
	}
	return s
}

// split is an amount in millionths of a dollar and the rest in millionths of those, both of its sign. An amount beyond a
// trillion dollars, which no attempt costs, counts as one.
func split(m farebox.Money) (micros, rest int64) {
	var buf [64]byte
	text, _ := m.AppendText(buf[:0])
	negative := text[0] == '-'
	if negative {
		text = text[1:]
	}
	whole, fraction, _ := bytes.Cut(text, []byte("."))
	if len(whole) > 12 {
		whole, fraction = []byte("1000000000000"), nil
	}
	for _, c := range whole {
		micros = micros*10 + int64(c-'0')
	}
	micros *= 1_000_000
	for i, unit := 0, int64(100_000); i < len(fraction) && i < 6; i, unit = i+1, unit/10 {
		micros += int64(fraction[i]-'0') * unit
	}
	for i, unit := 6, int64(100_000); i < len(fraction) && i < 12; i, unit = i+1, unit/10 {
		rest += int64(fraction[i]-'0') * unit
	}
	if negative {
		return -micros, -rest
	}
	return micros, rest
}

// join is the amount that split has taken apart, or a sum of such.
func join(micros, rest int64) (farebox.Money, error) {
	micros, rest = micros+rest/1_000_000, rest%1_000_000
	high, err := farebox.ParseMoney(strconv.FormatInt(micros, 10) + "e-6")
	if err != nil {
		return farebox.Money{}, err
	}
	low, err := farebox.ParseMoney(strconv.FormatInt(rest, 10) + "e-12")
	return high.Add(low), err
}
