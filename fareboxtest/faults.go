package fareboxtest

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Fault is what goes wrong with a call. The zero value changes nothing; fields combine.
//
// A fault that puts an error in the answer's place (Status) is not billed, unless Bill says so; one that delays or damages
// an answer leaves it billed in full: the model has run.
type Fault struct {
	// Model and Match choose the calls; empty and nil choose all. Match must not call the Provider. Times is how many calls
	// are hit: 0 is one, a negative number all from now on.
	Model string
	Match func(Request) bool
	Times int

	// DelayHead passes before the head is sent, DelayBody before the body, and DelayChunk before every chunk of a stream but
	// the first.
	DelayHead, DelayBody, DelayChunk time.Duration

	// Status, if not 0, answers with an error of this status, in the provider's shape. Code and Message, if not empty, are
	// what it says; Body replaces the whole body, and is sent as HTML where it begins with "<".
	Status              int
	Code, Message, Body string
	// RetryAfter is sent as the header of that name, as it is: "2", or a date in http.TimeFormat.
	RetryAfter string
	// Header is added to the head of the answer, whatever it is.
	Header http.Header
	// InsideOK sends the error inside an answer of status 200; ErrorAfter in the middle of a stream, after so many chunks.
	InsideOK   bool
	ErrorAfter int
	// Bill bills the whole answer although an error is sent. In OpenRouter's style the error in mid-stream then brings the
	// usage along.
	Bill bool

	// Cut is where the connection breaks.
	Cut Cut
	// NoUsage leaves the usage out. RewriteUsage changes what it states: members by their name on the wire, numbers as
	// json.Number.
	NoUsage      bool
	RewriteUsage func(usage map[string]any)
	// Malformed breaks the JSON of the answer, or of the last chunk. Padding makes it, or the first chunk, so many bytes
	// longer.
	Malformed bool
	Padding   int
	// OneByte sends the body byte by byte.
	OneByte bool

	// Of streams: lines end with CRLF; an event's data is spread over several lines; so many comments stand before each
	// event; the terminator, or the newline at the very end, is missing.
	CRLF, SplitData, NoDone, NoFinalNewline bool
	KeepAlives                              int
}

// Cut is the place in an answer where the connection breaks. The zero value is nowhere.
type Cut struct {
	place  cutPlace
	chunks int
}

type cutPlace int

const (
	cutNowhere cutPlace = iota
	cutBeforeHead
	cutAfterHead
	cutAfterChunks
	cutInChunk
)

// BeforeHead breaks the connection before a byte of the answer is sent.
func BeforeHead() Cut { return Cut{place: cutBeforeHead} }

// AfterHead breaks it between the head and the body.
func AfterHead() Cut { return Cut{place: cutAfterHead} }

// AfterChunks breaks it after so many chunks of a stream, and before the terminator if there are no more; in the middle of
// an answer that is no stream.
func AfterChunks(n int) Cut { return Cut{place: cutAfterChunks, chunks: n} }

// InChunk sends so many chunks of a stream and half of the next one; half of an answer that is no stream.
func InChunk(n int) Cut { return Cut{place: cutInChunk, chunks: n} }

// RateLimit is status 429 with a Retry-After in seconds, rounded up.
func RateLimit(wait time.Duration) Fault {
	seconds := (wait + time.Second - 1) / time.Second
	return Fault{Status: http.StatusTooManyRequests, RetryAfter: strconv.FormatInt(int64(seconds), 10)}
}

// OutOfCredits is status 402.
func OutOfCredits() Fault { return Fault{Status: http.StatusPaymentRequired} }

// Overloaded is status 529, which some providers answer with when they have no capacity.
func Overloaded() Fault { return Fault{Status: statusOverloaded} }

// ServerError is status 500.
func ServerError() Fault { return Fault{Status: http.StatusInternalServerError} }

// HTMLPage is status 502 with the page of a proxy in front of the provider.
func HTMLPage() Fault {
	return Fault{Status: http.StatusBadGateway, Body: "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n" +
		"<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"}
}

const statusOverloaded = 529

// armedFault is a Fault with the number of calls that it still hits.
type armedFault struct {
	Fault
	left int
}

// Inject makes calls from now on go wrong. A call suffers the first of all injected faults that chooses it and is not used
// up.
func (p *Provider) Inject(faults ...Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range faults {
		left := f.Times
		if left == 0 {
			left = 1
		}
		p.faults = append(p.faults, &armedFault{Fault: f, left: left})
	}
}

// ClearFaults takes back what Inject did and is not used up.
func (p *Provider) ClearFaults() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
}

// pickFault returns the fault that a call suffers, with the provider's mutex held; the zero Fault where there is none.
func (p *Provider) pickFault(r Request) *Fault {
	for _, f := range p.faults {
		if f.left == 0 || (f.Model != "" && f.Model != r.Model) || (f.Match != nil && !f.Match(r)) {
			continue
		}
		f.left-- // below 0 it never gets back to it
		return &f.Fault
	}
	return &Fault{}
}

// Hold keeps every call that arrives from now on from being answered, until release is called. Several Holds may stand at
// once; all of them have to be released. A second release of one does nothing. Use [Provider.WaitForRequests] to know that
// calls have arrived at it.
func (p *Provider) Hold() (release func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.holds == 0 {
		p.gate = make(chan struct{})
	}
	p.holds++
	return sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.holds--; p.holds == 0 {
			close(p.gate)
			p.gate = nil
		}
	})
}
