package fareboxtest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/farebox-go/farebox"
)

// Provider is a simulated provider. Make one with [NewProvider] and close it when done. Safe for concurrent use.
type Provider struct {
	style        Style
	name         string
	key          string
	models       []Model
	reply        func(Prompt) Reply
	byok         bool
	lag          int
	stopOnCancel bool
	inMemory     bool
	anyModel     bool           // serves models that nobody has heard of
	flat         *farebox.Money // bills every call this; nil: by its model's rates

	server   *http.Server
	origin   string // "http://127.0.0.1:1234"
	pipes    *pipeListener
	memory   *http.Transport
	handlers sync.WaitGroup
	closed   chan struct{}
	close    func()

	mu      sync.Mutex
	records []*record
	lookups map[string]int // of generations, by id
	waiters []waiter
	faults  []*armedFault
	gate    chan struct{} // closed when the last Hold is released; nil: nothing is held
	holds   int
}

// NewProvider starts a provider on a free port of 127.0.0.1 and in memory. Like httptest.NewServer, it panics where the
// machine lets no port be opened; InMemory needs none.
func NewProvider(options ...Option) *Provider {
	p := newProvider(options...)
	p.pipes = newPipeListener()
	p.memory = &http.Transport{DialContext: p.pipes.dial}
	p.server = &http.Server{Handler: p}
	p.close = sync.OnceFunc(p.shutDown)
	p.origin = memoryOrigin
	go func() { _ = p.server.Serve(p.pipes) }()
	if p.inMemory {
		return p
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.Close()
		panic(fmt.Sprintf("fareboxtest: no port to listen on: %v", err))
	}
	p.origin = "http://" + listener.Addr().String()
	go func() { _ = p.server.Serve(listener) }()
	return p
}

// newProvider is a provider that nothing leads to yet.
func newProvider(options ...Option) *Provider {
	p := &Provider{
		reply: defaultReply, models: DefaultModels(),
		closed: make(chan struct{}), lookups: make(map[string]int),
	}
	for _, option := range options {
		option(p)
	}
	if p.name == "" {
		p.name = p.style.String()
	}
	return p
}

// Close cuts every connection, releases every Hold and waits until the provider has dealt with the calls that it has
// received: what [Provider.Billed] says after it is final. A second Close does nothing.
func (p *Provider) Close() { p.close() }

func (p *Provider) shutDown() {
	p.mu.Lock()
	close(p.closed)
	p.mu.Unlock()
	_ = p.server.Close()
	p.memory.CloseIdleConnections()
	p.handlers.Wait()
}

// URL is the base URL as the provider's own SDKs take it: that to which "/chat/completions" is added or, in the styles of
// Anthropic and Gemini, that to which "/v1/messages" or "/v1beta/models" is. It holds no key.
func (p *Provider) URL() string {
	switch p.style {
	case OpenRouter:
		return p.origin + "/api/v1"
	case Anthropic, Gemini:
		return p.origin
	}
	return p.origin + "/v1"
}

// Endpoint is the provider as an endpoint of farebox's. An in-memory provider is reached only together with
// farebox.WithBaseTransport(p.Transport()).
func (p *Provider) Endpoint() farebox.Endpoint {
	key := p.key
	if key == "" {
		key = "fareboxtest"
	}
	switch p.style {
	case OpenRouter:
		return farebox.OpenRouter(key).WithBaseURL(p.URL()).WithName(p.name)
	case Anthropic:
		return farebox.Anthropic(key).WithBaseURL(p.origin + "/v1").WithName(p.name)
	case Gemini:
		return farebox.Gemini(key).WithBaseURL(p.origin + "/v1beta").WithName(p.name)
	}
	return farebox.OpenAI(key).WithBaseURL(p.URL()).WithName(p.name)
}

// ServeHTTP answers a request, whatever stands before "/chat/completions" in its path. Every Provider serves every format:
// OpenAI's completions, embeddings and responses, Anthropic's messages, and Gemini's generateContent; and the endpoints that
// count the tokens of the last three, which are in no account. It lets a Provider be put behind a server or a middleware of
// your own.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !p.enter() {
		panic(http.ErrAbortHandler) // breaks the connection; net/http catches it
	}
	defer p.handlers.Done()
	path := strings.TrimRight(r.URL.Path, "/")
	if op, ok := counted(path); ok && r.Method == http.MethodPost {
		p.serveCount(w, r, op)
		return
	}
	switch {
	case r.Method == http.MethodPost && strings.HasSuffix(path, "/chat/completions"):
		p.serveCall(w, r, chat)
	case r.Method == http.MethodPost && strings.HasSuffix(path, "/completions"):
		p.serveCall(w, r, completion)
	case r.Method == http.MethodPost && strings.HasSuffix(path, "/embeddings"):
		p.serveCall(w, r, embeddings)
	case r.Method == http.MethodPost && strings.HasSuffix(path, "/responses"):
		p.serveCall(w, r, responses)
	case r.Method == http.MethodPost && strings.HasSuffix(path, "/messages"):
		p.serveCall(w, r, messages)
	case r.Method == http.MethodPost && (strings.HasSuffix(path, ":generateContent") || strings.HasSuffix(path, ":streamGenerateContent")):
		p.serveCall(w, r, generate)
	case r.Method == http.MethodGet && strings.HasSuffix(path, "/models"):
		writeJSON(w, http.StatusOK, p.listModels())
	case r.Method == http.MethodGet && strings.HasSuffix(path, "/generation") && p.style == OpenRouter:
		p.serveGeneration(w, r)
	default:
		writeJSON(w, http.StatusNotFound, p.errorBody(chat, problem{
			status: http.StatusNotFound, message: fmt.Sprintf("Unknown request URL: %s %s", r.Method, r.URL.Path), code: "unknown_url",
		}))
	}
}

// enter counts a request that Close has to wait for; false once the provider is closed.
func (p *Provider) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.closed:
		return false
	default:
		p.handlers.Add(1)
		return true
	}
}

// serveCall receives a call, decides what becomes of it, enters it into the account and answers.
func (p *Provider) serveCall(w http.ResponseWriter, r *http.Request, op operation) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller left while sending: the call has not arrived
	}
	call, bad := readCall(op, body)
	if op == generate {
		call.readGenerateURL(r.URL)
	}
	rec, fault, gate := p.arrive(r, call, body)
	defer func() { p.finish(rec, r.Context().Err() != nil) }()
	d := &delivery{provider: p, w: w, ctx: r.Context(), fault: fault}
	d.left = !d.wait(gate) || !d.sleep(fault.DelayHead)
	if d.left && p.stopOnCancel {
		panic(http.ErrAbortHandler)
	}
	if bad == nil {
		bad = p.check(r, call)
	}
	if bad != nil {
		p.refuse(d, rec, op, bad)
		return
	}
	answer := p.answer(rec.GenerationID, call)
	p.setServed(rec, answer.model.servedAs())
	p.deliver(d, rec, answer)
}

// deliver bills an answer and sends it, or what a fault makes of it.
func (p *Provider) deliver(d *delivery, rec *record, a *answer) {
	replaced := d.fault.Status != 0
	if !replaced || d.fault.Bill {
		p.bill(rec, a.usage, a.cost)
	}
	if replaced && (d.fault.ErrorAfter == 0 || !a.call.Stream) {
		p.sendFault(d, rec, a.call.op)
		return
	}
	p.setStatus(rec, http.StatusOK)
	header := p.answerHeader(a)
	if !a.call.Stream || a.call.op == embeddings {
		d.sendJSON(header, a.json(d.fault))
		return
	}
	events := a.events(d.fault)
	if sent := d.sendStream(header, a, events); sent < len(events) && p.stopOnCancel && d.ctx.Err() != nil {
		usage, cost := a.partial(events[:sent])
		p.bill(rec, usage, cost)
	}
}

// answerHeader is what the head of an answer carries besides its content type.
func (p *Provider) answerHeader(a *answer) http.Header {
	if p.style == OpenRouter {
		return http.Header{"X-Generation-Id": {a.id}}
	}
	switch a.call.op {
	case messages:
		return http.Header{"Request-Id": {"req_" + a.id}}
	case generate:
		return nil
	}
	return http.Header{"X-Request-Id": {"req_" + a.id}, "Openai-Version": {"2020-10-01"}}
}
