// Package catalog holds a dated snapshot of model prices that is compiled into the program, so that a first call
// can be priced without a file and without the network.
//
// The snapshot is the text file snapshot.tsv beside this one, one price per line, written by tools/catalog from
// published price lists. [Parse] describes its format. Prices stay text all the way: whoever computes with them
// parses the decimal exactly as it was published.
package catalog

import (
	_ "embed" // the snapshot
	"sync"
	"time"
)

// Table is a decoded price list. It is shared: do not change anything reached through it.
type Table struct {
	Sources []Source
	// Rows are sorted by provider, then model, then From, so all prices of a model stand together, oldest first.
	Rows []Row
}

// Source is a published price list that rows were taken from.
type Source struct {
	Name string    // name and version: "charm.land/catwalk v0.52.1"
	AsOf time.Time // when that version was published: its prices are no newer
}

// Row is the price of one model at one provider from one date on.
//
// A row of a chat model has a rate for input and for output, a row of an embedding model one for input, unless it
// is Free or Variable: those have no rates at all. A model whose price is not known has no row. A dimension without
// a rate of its own is not free: it is charged as the dimension that contains it (a cached token as an input token,
// a reasoning token as an output token); where there is none, its price is unknown.
type Row struct {
	Provider string   // who sends the bill, in lower case: "openai", "openrouter"
	Model    string   // the provider's own name of the model
	Aliases  []string // further exact names of the same model at the same price

	Embedding bool // an embedding model; otherwise a model that generates

	From   time.Time // the price holds from this moment (midnight UTC); zero: from ever
	Source string    // Source.Name
	AsOf   time.Time // Source.AsOf

	ContextTokens   int64 // context window in tokens; 0: not known
	MaxOutputTokens int64 // the most tokens that one answer can have; 0: not known

	Inputs, Outputs Modality // what it is known to take and give; 0: not known

	Tools            Support // function calling
	Reasoning        Support // thinks before it answers, always or on request
	StructuredOutput Support // answers in a JSON schema

	Free     bool // every dimension costs nothing
	Variable bool // the gateway picks a model per call and charges that model's price

	Rates []Rate // in the order of the dimension constants, each at most once
	Tiers []Tier // by rising threshold; the last one that applies replaces rates by dimension
	// Windows replace rates by dimension at certain times of the day. No row has both windows and tiers.
	Windows []Window
}

// Rate is the price of one dimension.
type Rate struct {
	Dimension string // one of the dimension constants
	// Price is a plain decimal ("0.075"), never negative: US dollars per million units, or per single
	// unit where [PerUnit] says so.
	Price string
}

// Tier is a set of rates for requests with a long input. It applies to the whole request, not only to the tokens
// above the threshold. A dimension that it does not name keeps its rate.
type Tier struct {
	Over      int64 // total input tokens, cached ones included
	Inclusive bool  // the tier applies at exactly Over tokens too
	Rates     []Rate
}

// Window is a set of rates that hold every day from Start until before End, both counted from midnight UTC. It wraps
// around midnight where End is before Start. A dimension that it does not name keeps its rate.
type Window struct {
	Start, End time.Duration
	Rates      []Rate
}

// The dimensions that have rates. All are priced per million tokens except the last two.
const (
	Input          = "input"
	CacheRead      = "cache_read"
	CacheWrite     = "cache_write" // for minutes
	CacheWrite1h   = "cache_write_1h"
	Output         = "output"
	Reasoning      = "reasoning"
	AudioInput     = "audio_input"
	AudioCacheRead = "audio_cache_read"
	AudioOutput    = "audio_output"
	ImageInput     = "image_input"
	ImageOutput    = "image_output"
	VideoInput     = "video_input"
	Citation       = "citation"
	WebSearch      = "web_search"
	Request        = "request"
)

// dimensions in the order in which a row lists them.
var dimensions = [...]string{
	Input, CacheRead, CacheWrite, CacheWrite1h, Output, Reasoning,
	AudioInput, AudioCacheRead, AudioOutput, ImageInput, ImageOutput, VideoInput,
	Citation, WebSearch, Request,
}

// PerUnit reports whether a dimension is priced per single unit rather than per million.
func PerUnit(dimension string) bool {
	return dimension == WebSearch || dimension == Request
}

// Modality is a set of the kinds of content that a model takes or gives.
type Modality uint8

// The kinds of content.
const (
	Text Modality = 1 << iota
	Image
	Audio
	Video
	File
)

// Support says whether a model can do something. The zero value says that nobody knows.
type Support uint8

// What is known about an ability.
const (
	Unknown Support = iota
	No
	Yes
)

//go:embed snapshot.tsv
var snapshotText string

var loadSnapshot = sync.OnceValues(func() (*Table, error) { return Parse(snapshotText) })

// Snapshot returns the prices that the program was built with. They are decoded on first use, once; an error
// means a broken build and is a [*FormatError]. Safe for concurrent use.
func Snapshot() (*Table, error) {
	return loadSnapshot()
}
