package bench

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Model is the model that every call asks for: one that the embedded catalog prices.
const Model = "gpt-4o-mini"

// Usage that the provider reports for every call.
const (
	promptTokens     = 250
	completionTokens = 100
)

// Provider answers chat completions from memory: as an http.RoundTripper without any network, and as an http.Handler
// behind a listener. A request for a stream gets Chunks events. It is safe for concurrent use.
type Provider struct {
	// Chunks is the number of events with text in a stream, before the one with the reason to finish.
	Chunks int
}

var answer = fmt.Appendf(nil, `{"id":"chatcmpl-bench","object":"chat.completion","created":1764000000,"model":%q,`+
	`"choices":[{"index":0,"message":{"role":"assistant","content":%q,"refusal":null},"logprobs":null,"finish_reason":"stop"}],`+
	`"usage":%s,"service_tier":"default","system_fingerprint":"fp_bench"}`,
	Model+"-2024-07-18", Text(4*completionTokens), usageObject)

var usageObject = fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,`+
	`"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},`+
	`"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`,
	promptTokens, completionTokens, promptTokens+completionTokens)

// The events of a stream, in the form in which OpenAI sends them.
var (
	chunkEvent = event(`"choices":[{"index":0,"delta":{"content":" token"},"logprobs":null,"finish_reason":null}]`)
	lastEvent  = event(`"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]`)
	usageEvent = event(`"choices":[],"usage":` + usageObject)
	doneEvent  = []byte("data: [DONE]\n\n")
)

func event(rest string) []byte {
	return fmt.Appendf(nil, `data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1764000000,"model":%q,`+
		`"service_tier":"default","system_fingerprint":"fp_bench",%s}`+"\n\n", Model+"-2024-07-18", rest)
}

// RoundTrip answers a request as a transport would: it reads the request's body and closes it.
func (p *Provider) RoundTrip(req *http.Request) (*http.Response, error) {
	asked, err := io.ReadAll(req.Body)
	_ = req.Body.Close()
	if err != nil {
		return nil, err
	}
	resp := &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{"Content-Type": {"application/json"}, "X-Request-Id": {"req_bench"}},
	}
	if !streams(asked) {
		resp.ContentLength = int64(len(answer))
		resp.Header.Set("Content-Length", strconv.Itoa(len(answer)))
		resp.Body = io.NopCloser(bytes.NewReader(answer))
		return resp, nil
	}
	resp.ContentLength = -1
	resp.Header.Set("Content-Type", "text/event-stream; charset=utf-8")
	resp.Body = &eventBody{text: p.Chunks, usage: wantsUsage(asked)}
	return resp, nil
}

// ServeHTTP answers the same over a network, flushing after every event.
func (p *Provider) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	resp, err := p.RoundTrip(req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	flush := http.NewResponseController(w).Flush
	piece := make([]byte, 4<<10)
	for {
		n, err := resp.Body.Read(piece)
		_, _ = w.Write(piece[:n])
		if err != nil {
			return
		}
		if resp.ContentLength < 0 {
			_ = flush()
		}
	}
}

func streams(request []byte) bool { return bytes.Contains(request, []byte(`"stream":true`)) }

func wantsUsage(request []byte) bool { return bytes.Contains(request, []byte(`"include_usage":true`)) }

// eventBody is a stream's body. Each Read returns one event, as each packet of a slow stream does.
type eventBody struct {
	text  int  // events with text that are still to come
	usage bool // the usage is still to come
	next  int  // place in the tail
	rest  []byte
}

func (b *eventBody) Read(p []byte) (int, error) {
	if len(b.rest) == 0 {
		if b.rest = b.event(); b.rest == nil {
			return 0, io.EOF
		}
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// event is the next event; nil after the last.
func (b *eventBody) event() []byte {
	if b.text > 0 {
		b.text--
		return chunkEvent
	}
	b.next++
	switch b.next {
	case 1:
		return lastEvent
	case 2:
		if b.usage {
			return usageEvent
		}
		b.next++
		fallthrough
	case 3:
		return doneEvent
	}
	return nil
}

func (*eventBody) Close() error { return nil }

// Text is so many bytes of words.
func Text(bytes int) string {
	const words = "the fare is taken before the ride and the receipt is handed back after it "
	return strings.Repeat(words, bytes/len(words)+1)[:bytes]
}
