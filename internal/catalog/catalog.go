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
// A row of a chat model has a rate for input and for output, a row of an embedding model one for input, a row of any other
// model at least one, unless it is Free or Variable: those have no rates at all. A model whose price is not known has no row. A dimension without
// a rate of its own is not free: it is charged as the dimension that contains it (a cached token as an input token,
// a reasoning token as an output token); where there is none, its price is unknown.
type Row struct {
	Provider string   // who sends the bill, in lower case: "openai", "openrouter"
	Model    string   // the provider's own name of the model
	Aliases  []string // further exact names of the same model at the same price

	Embedding bool // an embedding model
	Other     bool // a model that does neither chat nor embed: it speaks, hears, paints, ranks or reads pages

	From   time.Time // the price holds from this moment (midnight UTC); zero: from ever
	Source string    // Source.Name; of several, joined by "; "
	AsOf   time.Time // Source.AsOf; of several, the first

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
	// Overrides replace rates by dimension, or multiply them, under conditions; of those that hold a later one wins.
	Overrides []Override
}

// Rate is the price of one dimension.
type Rate struct {
	Dimension string // one of the dimension constants; of those that are priced each, perhaps with a slash and a variant
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

// Override is a change of rates under conditions. A dimension that it does not name keeps its rate.
type Override struct {
	When     When
	Multiply string // a plain decimal by which rates of tokens are multiplied; empty: 1
	Rates    []Rate
}

// When is a set of conditions, all of which must hold; the zero value of each is no condition.
type When struct {
	Over        int64 // more input tokens than this; with Inclusive, or as many
	Inclusive   bool
	Start, End  time.Duration // a part of the day, from midnight UTC; it wraps around midnight where End is before Start
	Days        uint8         // bit 0 is Sunday
	ServiceTier string
	Region      string
	Speed       string
}

// The dimensions that have rates. Those down to Citation are priced per million tokens, the others each.
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
	ImageCacheRead = "image_cache_read"
	ImageOutput    = "image_output"
	VideoInput     = "video_input"
	VideoOutput    = "video_output"
	Citation       = "citation"
	WebSearch      = "web_search"
	Request        = "request"
	ImageMade      = "image"
	Pixel          = "pixel"
	Character      = "character"
	AudioMS        = "audio_ms"
	VideoMS        = "video_ms"
	Page           = "page"
	SearchUnit     = "search_unit"
	ToolCall       = "tool_call"
	Session        = "session"
)

// dimensions in the order in which a row lists them.
var dimensions = [...]string{
	Input, CacheRead, CacheWrite, CacheWrite1h, Output, Reasoning,
	AudioInput, AudioCacheRead, AudioOutput, ImageInput, ImageCacheRead, ImageOutput, VideoInput, VideoOutput,
	Citation, WebSearch, Request,
	ImageMade, Pixel, Character, AudioMS, VideoMS, Page, SearchUnit, ToolCall, Session,
}

// tokens is how many of the dimensions are priced per million; the others may have variants.
const tokens = 15

// PerUnit reports whether a dimension is priced per single unit rather than per million.
func PerUnit(dimension string) bool { return place(dimension) >= tokens }

// place is where a dimension stands in the order, by the name before its slash; -1 for none.
func place(dimension string) int {
	for i, known := range dimensions {
		if base := len(known); len(dimension) >= base && dimension[:base] == known {
			if len(dimension) == base || dimension[base] == '/' && len(dimension) > base+1 && i >= tokens {
				return i
			}
		}
	}
	return -1
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
