package farebox_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	openai "github.com/sashabaranov/go-openai"
	"go.uber.org/goleak"

	"github.com/farebox-go/farebox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testKey = "sk-test-0123456789abcdefghijklmnopqrstuvwxyz"

// testModel is priced at $1 and $2 per million tokens, so that the usage of chatAnswer costs chatCost.
const testModel = "test-model"

var (
	testRates = farebox.Rates{
		farebox.DimensionInput: farebox.MustPerMillion("1"), farebox.DimensionOutput: farebox.MustPerMillion("2"),
	}
	chatCost = farebox.MustMoney("0.00012")
)

const (
	usageJSON  = `{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110}`
	chatAnswer = `{"id":"chatcmpl-1","object":"chat.completion","created":1764000000,"model":"test-model",` +
		`"choices":[{"index":0,"message":{"role":"assistant","content":"Hello there"},"finish_reason":"stop"}],"usage":` + usageJSON + `}`
)

// The events of a whole stream as OpenAI sends it with include_usage.
const (
	helloChunk  = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764000000,"model":"test-model","choices":[{"index":0,"delta":{"role":"assistant","content":"Hello"},"finish_reason":null}]}` + "\n\n"
	thereChunk  = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764000000,"model":"test-model","choices":[{"index":0,"delta":{"content":" there"},"finish_reason":null}]}` + "\n\n"
	stopChunk   = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764000000,"model":"test-model","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	usageChunk  = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764000000,"model":"test-model","choices":[],"usage":` + usageJSON + `}` + "\n\n"
	doneChunk   = "data: [DONE]\n\n"
	wholeStream = helloChunk + thereChunk + stopChunk + usageChunk + doneChunk
	bareStream  = helloChunk + thereChunk + stopChunk + doneChunk
)

// seen is a request as a server saw it.
type seen struct {
	path   string
	header http.Header
	body   string
}

// provider is a server that keeps what it was asked.
type provider struct {
	*httptest.Server
	mu   sync.Mutex
	list []seen
}

// serve starts a server; its handlers may read the request's body again.
func serve(t *testing.T, handler http.HandlerFunc) *provider {
	t.Helper()
	p := &provider{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.list = append(p.list, seen{path: r.URL.Path, header: r.Header.Clone(), body: string(body)})
		p.mu.Unlock()
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		handler(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) requests() []seen {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]seen(nil), p.list...)
}

// only is the one request that the server must have seen.
func (p *provider) only(t *testing.T) seen {
	t.Helper()
	list := p.requests()
	if len(list) != 1 {
		t.Fatalf("the provider saw %d requests, want 1", len(list))
	}
	return list[0]
}

// answers replies with a status and a body of JSON.
func answers(status int, body string) http.HandlerFunc {
	return answersAs("application/json", status, body)
}

func answersAs(kind string, status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// streams replies with events, each flushed by itself.
func streams(parts ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, part := range parts {
			_, _ = io.WriteString(w, part)
			w.(http.Flusher).Flush()
		}
	}
}

// inTurn gives each request to the next handler; the last one takes all that follow.
func inTurn(handlers ...http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	next := 0
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		handler := handlers[min(next, len(handlers)-1)]
		next++
		mu.Unlock()
		handler(w, r)
	}
}

// hangUp ends the connection without an answer.
func hangUp(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

// openAIAt and openRouterAt are those endpoints, served by a test server.
func openAIAt(p *provider) farebox.Endpoint {
	return farebox.OpenAI(testKey).WithBaseURL(p.URL + "/v1")
}

func openRouterAt(p *provider) farebox.Endpoint {
	return farebox.OpenRouter(testKey).WithBaseURL(p.URL + "/api/v1")
}

// quickRetry retries as the default does, without its waits.
var quickRetry = farebox.WithRetry(farebox.Retry{MaxAttempts: 3, Initial: time.Microsecond, Max: time.Microsecond})

var noRetry = farebox.WithRetry(farebox.Retry{MaxAttempts: 1})

// newClient makes a Client that knows testModel's price and is closed at the end of the test.
func newClient(t *testing.T, endpoint farebox.Endpoint, options ...farebox.Option) *farebox.Client {
	t.Helper()
	client, err := farebox.New(endpoint, append([]farebox.Option{farebox.WithPrice(testModel, testRates), quickRetry}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeMeter(t, client.Meter()) })
	return client
}

// newMeter makes a Meter that knows testModel's price and is closed at the end of the test.
func newMeter(t *testing.T, options ...farebox.MeterOption) *farebox.Meter {
	t.Helper()
	meter, err := farebox.NewMeter(append([]farebox.MeterOption{farebox.WithPrice(testModel, testRates)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeMeter(t, meter) })
	return meter
}

// closeMeter closes a Meter and checks that nothing is left in flight.
func closeMeter(t *testing.T, meter *farebox.Meter) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := meter.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	for _, status := range meter.Guard().Snapshot() {
		if !status.Held.IsZero() || status.InFlight != 0 {
			t.Errorf("budget %s: %s held by %d calls after the end", status.Budget, status.Held, status.InFlight)
		}
	}
}

func chatRequest() openai.ChatCompletionRequest {
	return openai.ChatCompletionRequest{
		Model: testModel, MaxTokens: 100,
		Messages: []openai.ChatCompletionMessage{{Role: "user", Content: "Say hello."}},
	}
}

// chatJSON is a chat request as another SDK would send it.
const chatJSON = `{"model":"test-model","max_tokens":100,"messages":[{"role":"user","content":"Say hello."}]}`

const streamJSON = `{"model":"test-model","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"Say hello."}]}`

// post sends a body to a chat route, as another SDK would.
func post(t *testing.T, client *http.Client, base, body string) (*http.Response, error) {
	t.Helper()
	return postWith(context.Background(), t, client, base, strings.NewReader(body))
}

func postWith(ctx context.Context, t *testing.T, client *http.Client, base string, body io.Reader) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/v1/chat/completions", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+testKey)
	return client.Do(req)
}

// mustPost is post where an error fails the test.
func mustPost(t *testing.T, client *http.Client, base, body string) *http.Response {
	t.Helper()
	resp, err := post(t, client, base, body)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// readAll reads an answer to its end and closes it.
func readAll(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	return string(body)
}

// ledger is every receipt of a Meter, oldest first.
func ledger(meter *farebox.Meter) []farebox.Receipt {
	var all []farebox.Receipt
	for receipt := range meter.Ledger().Receipts(farebox.Filter{}) {
		all = append(all, receipt)
	}
	return all
}

// onlyReceipt is the one receipt that a Meter must have.
func onlyReceipt(t *testing.T, meter *farebox.Meter) farebox.Receipt {
	t.Helper()
	all := ledger(meter)
	if len(all) != 1 {
		t.Fatalf("%d receipts, want 1: %v", len(all), all)
	}
	return all[0]
}

// text joins what a stream's chunks say, and returns what the stream ended with.
func text(stream *farebox.ChatCompletionStream) (string, error) {
	var b strings.Builder
	for {
		chunk, err := stream.Recv()
		if err != nil {
			return b.String(), err
		}
		for _, choice := range chunk.Choices {
			b.WriteString(choice.Delta.Content)
		}
	}
}

// deadline is a context whose time runs out when a test says so, however busy the machine is.
type deadline struct {
	context.Context
	passed chan struct{}
	once   sync.Once
}

func newDeadline() *deadline {
	return &deadline{Context: context.Background(), passed: make(chan struct{})}
}

func (d *deadline) pass() { d.once.Do(func() { close(d.passed) }) }

func (d *deadline) Done() <-chan struct{} { return d.passed }

func (d *deadline) Err() error {
	select {
	case <-d.passed:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// roundTripper is a transport in memory, for tests in simulated time.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// reply makes an answer in memory. Header is a list of names and values.
func reply(status int, body string, header ...string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status), Header: h, ContentLength: -1,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: io.NopCloser(strings.NewReader(body)),
	}
}

// waitFor waits until something that another goroutine does has been done.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("gave up waiting until %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}
