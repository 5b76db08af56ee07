// Package wire reads what providers put on the wire: requests, answers, streams and errors. It hands up
// plain numbers and text; what they cost is decided elsewhere.
//
// Each wire format is a package of its own below this one that implements [Format].
package wire

import "net/http"

// Operation is what a route does, named as in the GenAI conventions, and plainly where those have no name for it.
type Operation string

// The operations that are metered.
const (
	Chat            Operation = "chat" // OpenAI's responses and Anthropic's messages too
	GenerateContent Operation = "generate_content"
	TextCompletion  Operation = "text_completion"
	Embeddings      Operation = "embeddings"
	Rerank          Operation = "rerank"
	ImageGeneration Operation = "image_generation"
	Speech          Operation = "speech"
	Transcription   Operation = "transcription"
	OCR             Operation = "ocr"
	Batch           Operation = "batch" // many requests that are answered later
)

// Target is where a request is sent, as far as formats are told apart by it.
type Target struct {
	Method      string
	Host        string // as in the URL
	Path        string // unescaped, as in the URL
	Query       string // as it is written
	ContentType string // of the request's body; empty: not stated
	Provider    string // the id of the provider that the endpoint belongs to ("openrouter", "vertex"); empty: not known
}

// Route is what a request is for.
type Route struct {
	Operation Operation
	Billing   Billing
	// ID names the answer or the job that a FollowUp asks after.
	ID string
}

// Billing says how a route is charged for.
type Billing uint8

const (
	// Metered is a request that is charged for: it is priced, held and has a receipt.
	Metered Billing = iota
	// Free is a request that its provider is known not to charge for: it passes untouched, without a hold or a receipt.
	Free
	// FollowUp is a later look at what an earlier request is charged for: the answer of one that runs in the background,
	// the results of a batch, a gateway's own record of a call. It is free itself; what it says of Route.ID settles the
	// earlier request, once, if that one is waiting for it.
	FollowUp
)

// Usage is what a call consumed, in disjoint kinds: no token is counted in two of them.
type Usage struct {
	Input          int64 // text input tokens that were neither read from nor written to a cache
	CacheRead      int64 // input tokens read from a cache
	CacheWrite     int64 // input tokens written to a cache that lives for minutes
	CacheWrite1h   int64 // input tokens written to a cache that lives for an hour
	AudioInput     int64 // audio input tokens
	AudioCacheRead int64 // audio input tokens read from a cache
	ImageInput     int64 // image input tokens
	ImageCacheRead int64 // image input tokens read from a cache
	VideoInput     int64 // video input tokens
	Output         int64 // output tokens other than those below
	Reasoning      int64 // hidden reasoning tokens
	AudioOutput    int64 // audio output tokens
	ImageOutput    int64 // image output tokens
	VideoOutput    int64 // video output tokens
	Citation       int64 // citation tokens
	WebSearches    int64 // web searches made by the provider
	Requests       int64 // requests, where one is charged by itself: 1 for an answered call

	// Units counts what is charged by something else than tokens, by a name of the Unit constants; nil where there is
	// nothing. Quantities are positive.
	Units map[string]int64
}

// Names of what is charged by something else than tokens. A name may be followed by a slash and a variant that has a
// price of its own: "image/1024x1024/hd", "tool_call/file_search".
const (
	UnitImage      = "image"       // images made; variants by size, then quality
	UnitPixel      = "pixel"       // pixels made, where a price is per megapixel
	UnitCharacter  = "character"   // characters (runes) of text
	UnitAudioMS    = "audio_ms"    // milliseconds of audio, where a price is per second, minute or hour
	UnitVideoMS    = "video_ms"    // milliseconds of video; variants by resolution
	UnitPage       = "page"        // pages of a document
	UnitSearchUnit = "search_unit" // of a reranker
	UnitToolCall   = "tool_call"   // calls of tools that the provider runs; variants by tool
	UnitSession    = "session"     // of a container or a code interpreter; variants by kind
	// UnitRequest is followed by a variant, where the fee for a request has some: it stands beside Usage.Requests, and is
	// charged in its place.
	UnitRequest = "request"
	// UnitCacheStorage counts tokens that were read from a cache and written to it by the same call, as Gemini's are through
	// OpenRouter, whose write is the storage. They stand in Usage.CacheRead, and not in CacheWrite.
	UnitCacheStorage = "cache_write/storage"
)

// Iteration is a part of an answer that another model than the answer's own made, with a usage of its own.
type Iteration struct {
	Model string // empty: the answer's
	Usage Usage
}

// InputTokens is the number of input tokens of every kind.
func (u *Usage) InputTokens() int64 {
	return u.Input + u.CacheRead + u.CacheWrite + u.CacheWrite1h +
		u.AudioInput + u.AudioCacheRead + u.ImageInput + u.ImageCacheRead + u.VideoInput
}

// OutputTokens is the number of output tokens of every kind.
func (u *Usage) OutputTokens() int64 {
	return u.Output + u.Reasoning + u.AudioOutput + u.ImageOutput + u.VideoOutput
}

// Request is what a request asks for, as far as its cost depends on it.
type Request struct {
	Operation    Operation
	Model        string   // as asked; empty where the route names it
	Models       []string // fallback models that the gateway may serve instead (OpenRouter's models, LiteLLM's fallbacks)
	Stream       bool
	IncludeUsage bool // a stream will carry its usage: the caller asked for it, or the format always does

	Messages    int   // messages in a chat
	TextBytes   int64 // UTF-8 bytes of all text that becomes input: messages, names, tools, schemas, prompts
	InputTokens int64 // tokens sent as numbers (embeddings and completions take token arrays)
	Inputs      int   // prompts of a completion, inputs of an embeddings call; 1 for a chat
	Tools       int   // tools and functions offered
	Images      int   // image parts
	Audios      int   // audio parts
	Videos      int   // video parts
	Files       int   // file parts

	HiddenInput bool  // input that is not in the body: an earlier conversation, a prompt that the provider keeps
	MaxOutput   int64 // output limit asked for, in tokens; 0: none
	BesideLimit int64 // output tokens that the limit does not count, at most: of rejected predictions, of thinking
	Choices     int   // n, or best_of where that is larger; at least 1
	ServiceTier string
	WebSearch   bool   // the request turns on a search that the provider charges for
	ServerTools bool   // the request offers tools that the provider runs by itself
	ToolUses    int64  // times that the provider may use its tools, searches among them, at most; 0: not limited
	Searches    int64  // searches that it may make, at most; 0: not limited
	AudioOutput bool   // the request asks for audio in the answer
	ImageOutput bool   // the request asks for images in the answer
	LongCache   bool   // the request asks for a cache that lives for an hour
	Speed       string // a faster mode that is charged for: "fast"
	Region      string // where the request asks to be served, if that is charged for: "us"

	// Routing is what the request says on who behind a gateway may serve it, and at what price.
	Routing Routing

	// Units are the quantities that the request itself fixes, named as in Usage: characters to speak, images to make.
	Units map[string]int64
}

// Routing is what a request asks of a gateway that has several providers for a model (OpenRouter's provider). Providers are
// named by the gateway's short names ("google-ai-studio").
type Routing struct {
	Only   []string // nobody else may serve
	Ignore []string // these may not
	// MaxPrompt and MaxCompletion are the most that may be charged per million tokens, MaxRequest per request, as decimals;
	// empty: not stated.
	MaxPrompt, MaxCompletion, MaxRequest string
}

// ReportedCost is a figure that the provider states, as it was written.
type ReportedCost struct {
	Literal  string // decimal, in any notation that JSON allows; empty: none stated
	Exponent int    // the figure is Literal x 10^Exponent US dollars (xAI counts in 1e-10 dollars)
	Field    string // where it stood: "usage.cost", "x-litellm-response-cost", ...
}

// Answer is what was read from an answer, whole or so far.
type Answer struct {
	ID                string
	Model             string // the model that served
	Provider          string // the upstream provider that served, where a gateway names it
	ServiceTier       string // the tier that served
	FinishReason      string // of the first choice
	SystemFingerprint string

	Usage         Usage
	UsageSeen     bool   // the provider reported a usage
	Contradictory bool   // the usage contradicts itself; Usage is the nearest reading that is never negative
	RawUsage      []byte // the usage object as it was written (bounded), or one of the counts that stand by themselves; a copy
	// Iterations are parts that are billed beside Usage, each at its own model's price (Anthropic's compaction and
	// advisor iterations).
	Iterations []Iteration
	Speed      string // the faster mode that served, where one is charged for
	Region     string // where the model was served, where that is charged for

	Reported ReportedCost // the endpoint's own charge
	Upstream ReportedCost // what the upstream provider bills to the caller's own key (BYOK)
	BYOK     bool

	TextBytes int64  // bytes of generated text, reasoning and tool arguments that were seen
	Pending   bool   // the work goes on: what it costs is known by a FollowUp with the answer's ID
	Done      bool   // the terminator of a stream was seen, or the JSON value was complete
	Err       *Error // an error inside the answer
}

// Error is an error as a provider words it.
type Error struct {
	Code       string // the provider's code, a number written out where it is one
	Type       string // the provider's type ("rate_limit_error", ...), OpenRouter's metadata.error_type
	Message    string
	Param      string
	Status     int    // an HTTP status that the error itself names (an error inside a 200); 0: none
	RetryAfter string // a hint inside the error (Retry-After's form), empty: none
	Provider   string // the upstream provider that failed, where a gateway names it
	Reason     string // what a gateway adds to say which of its limits was met: "in_flight_budget_exhausted", "spend_limit"
	ResetAt    string // when a spending limit is reset (RFC 3339), empty: it does not say
}

// Format reads one wire format. Implementations are safe for concurrent use.
type Format interface {
	// Name of the format: "openai".
	Name() string
	// Recognise says what a request is for; ok is false where the format does not know the route. It is asked about every
	// request that passes, and looks at the target only.
	Recognise(to Target) (route Route, ok bool)
	// ReadRequest reads the body of a request that is charged for. Some targets name the model.
	ReadRequest(op Operation, to Target, body []byte) (Request, error)
	// IncludeUsage returns the body of a request for a stream with the edit that makes it carry its usage; it returns body
	// itself where there is nothing to edit.
	IncludeUsage(body []byte) ([]byte, error)
	// NewBodyReader reads an answer that is no stream (most are one JSON value) and is pushed through it in pieces. of is
	// what ReadRequest made; of a FollowUp it has only an Operation. It is kept, and not changed.
	NewBodyReader(of *Request) Reader
	// NewStreamReader reads a stream of events that is pushed through it one event at a time, whatever they are framed in.
	// of is as in NewBodyReader.
	NewStreamReader(of *Request) StreamReader
	// ReadHeaders adds to a successful answer what its headers say and its body did not. It is called when the body has
	// ended. The headers of a stream were sent before anybody knew what it would consume.
	ReadHeaders(of *Request, head http.Header, a *Answer)
	// ReadError reads the body of an answer with an error status; it never fails: what cannot be read
	// is put into the message, cut to a readable length.
	ReadError(status int, body []byte) Error
}

// OutputLimiter is a [Format] that can lower the output limit of a request.
type OutputLimiter interface {
	// LimitOutput returns a copy of the body with an output limit, of each answer, of so many tokens. newest says that the
	// endpoint takes the newest name for the limit only. The error is that the request cannot have such a limit.
	LimitOutput(of *Request, body []byte, limit int64, newest bool) ([]byte, error)
}

// Reader reads an answer's body as it passes. Its memory is bounded whatever the body's size.
// Not safe for concurrent use.
type Reader interface {
	// Write takes the next piece of the body. It never fails and keeps no reference to p.
	Write(p []byte)
	// Answer returns what has been read; after the end of the body, whole.
	Answer() *Answer
}

// StreamReader reads a stream as its events pass. Not safe for concurrent use.
type StreamReader interface {
	// Event takes the next event: of server-sent events and AWS event streams their name and data, of other framings
	// (lines of JSON, the elements of a JSON array) the data, name being empty. usageOnly says that the event carries nothing but usage: it is
	// what a provider adds where usage was asked for. It keeps no reference to data.
	Event(name, data []byte) (usageOnly bool)
	// Answer returns what has been read so far.
	Answer() *Answer
}
