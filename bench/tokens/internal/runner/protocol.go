// Package runner is what a program does that holds one token counter to be measured: it answers requests, one line of
// JSON each, on its standard input and output.
package runner

// What a program can be asked for.
const (
	// Open loads Encoding. The reply has the time until a first letter was counted, and the heap that is kept.
	Open = "open"
	// Text sets the text and counts it once. The reply has its tokens and the time.
	Text = "text"
	// Measure counts the text Times times. The reply has the time and the allocations of all of them together.
	Measure = "measure"
)

// Request is what a program is asked for.
type Request struct {
	Op       string `json:"op"`
	Encoding string `json:"encoding,omitempty"`
	Text     string `json:"text,omitempty"`
	Times    int    `json:"times,omitempty"`
}

// Reply is what it answers.
type Reply struct {
	Error  string `json:"error,omitempty"`
	Tokens int    `json:"tokens"`
	NS     int64  `json:"ns"`     // nanoseconds
	Allocs uint64 `json:"allocs"` // number of allocations
	Bytes  uint64 `json:"bytes"`  // allocated; for Open, kept
}
