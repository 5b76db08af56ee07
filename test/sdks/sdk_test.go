package sdks

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/fareboxtest"
)

// What every SDK asks for.
const (
	model     = fareboxtest.LargeModel
	maxTokens = 1000
	key       = "sk-test-key-of-the-service"
)

// tool is the one tool that every SDK offers.
const (
	toolName        = "weather"
	toolDescription = "Tells the weather in a city."
)

var toolSchema = map[string]any{
	"type":       "object",
	"properties": map[string]any{"city": map[string]any{"type": "string"}},
	"required":   []string{"city"},
}

// doer is what an SDK that takes anything with a method Do is given.
type doer interface {
	Do(*http.Request) (*http.Response, error)
}

type (
	send       = func(*http.Request) (*http.Response, error)
	middleware = func(*http.Request, send) (*http.Response, error)
)

// connection is how an SDK reaches its provider: one of its fields is set, but for url.
type connection struct {
	url        string
	client     *http.Client
	doer       doer
	middleware middleware
}

// doing is the connection's doer, or its client in that place.
func (c connection) doing() doer {
	if c.doer != nil {
		return c.doer
	}
	return c.client
}

// form is a way into a Meter.
type form string

const (
	byClient     form = "HTTPClient"
	byDoer       form = "Doer"
	byMiddleware form = "Middleware"
)

// connect reaches url through a form of a Meter's. tries counts what the SDK sends into it.
func connect(meter *farebox.Meter, f form, url string, tries *atomic.Int32) connection {
	counted := func(next send) send {
		return func(req *http.Request) (*http.Response, error) {
			tries.Add(1)
			return next(req)
		}
	}
	c := connection{url: url}
	switch f {
	case byClient:
		c.client = meter.HTTPClient()
		c.client.Transport = roundTripper(counted(c.client.Transport.RoundTrip))
	case byDoer:
		c.doer = sender(counted(meter.Doer().Do))
	case byMiddleware:
		metered := meter.Middleware()
		c.middleware = func(req *http.Request, next send) (*http.Response, error) {
			return counted(func(req *http.Request) (*http.Response, error) { return metered(req, next) })(req)
		}
	}
	return c
}

type roundTripper send

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

type sender send

func (f sender) Do(req *http.Request) (*http.Response, error) { return f(req) }

// sdk is an SDK and what is peculiar about it.
type sdk struct {
	name  string
	style fareboxtest.Style
	forms []form // the ways in that it takes
	// attempts is how often it sends a call that fails with status 500.
	attempts int
	// retriesRefusals says that it tries an error of an *http.Client again, a refusal included.
	retriesRefusals bool
	// hidesClientErrors says that it puts an error of its own in the place of one of an *http.Client.
	hidesClientErrors bool
	// mayEndCancelled says that a stream whose context has ended may end well.
	mayEndCancelled bool
	open            func(connection) (conversation, error)
}

// conversation is what a test asks of an SDK.
type conversation interface {
	// ask returns the text of a plain answer.
	ask(ctx context.Context, prompt string) (string, error)
	// stream hands on each piece of text; it leaves the stream where each returns false.
	stream(ctx context.Context, prompt string, each func(text string) bool) error
	// callTool offers the tool, and returns the call of it that the model makes.
	callTool(ctx context.Context, prompt string) (name, arguments string, err error)
}

var sdks = []sdk{
	{name: "openai-go chat", style: fareboxtest.OpenAI, forms: []form{byDoer, byMiddleware, byClient}, attempts: 3, retriesRefusals: true, open: openOpenAIChat},
	{name: "openai-go responses", style: fareboxtest.OpenAI, forms: []form{byDoer, byMiddleware, byClient}, attempts: 3, retriesRefusals: true, open: openOpenAIResponses},
	{name: "anthropic-sdk-go", style: fareboxtest.Anthropic, forms: []form{byDoer, byMiddleware, byClient}, attempts: 3, retriesRefusals: true, open: openAnthropic},
	{name: "genai", style: fareboxtest.Gemini, forms: []form{byClient}, attempts: 1, open: openGenAI},
	{name: "go-openai", style: fareboxtest.OpenAI, forms: []form{byDoer, byClient}, attempts: 1, open: openGoOpenAI},
	{name: "langchaingo", style: fareboxtest.OpenAI, forms: []form{byDoer, byClient}, attempts: 1, hidesClientErrors: true, mayEndCancelled: true, open: openLangChain},
	{name: "eino", style: fareboxtest.OpenAI, forms: []form{byClient}, attempts: 1, open: openEino},
	{name: "net/http", style: fareboxtest.OpenRouter, forms: []form{byDoer, byClient}, attempts: 1, open: openPlain},
}
