package farebox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"github.com/farebox-go/farebox/internal/wire"
	wireopenai "github.com/farebox-go/farebox/internal/wire/openai"
)

// Client calls models. It has the method names and types of go-openai's client, over a metered transport: every answer
// carries its receipt, and a call that does not fit a budget is refused before it is sent. Make one with [New]; the zero
// value is not usable. Safe for concurrent use.
type Client struct {
	meter    *Meter
	ownMeter bool
	http     *http.Client
	endpoint *endpoint
	format   wire.Format
	retry    Retry
	choices  map[string]Choice
	ladder   Ladder

	cooldowns cooldowns
	timeout   time.Duration

	maxResponseBytes int64
	maxEventBytes    int
	streamedAnswers  bool
}

// API is what a [Client] does, for programs that put something else in its place in their tests. It gains a method
// when Client does: embed one in a type that implements it.
type API interface {
	CreateChatCompletion(ctx context.Context, request openai.ChatCompletionRequest, options ...CallOption) (ChatCompletionResponse, error)
	CreateChatCompletionStream(ctx context.Context, request openai.ChatCompletionRequest, options ...CallOption) (*ChatCompletionStream, error)
	CreateCompletion(ctx context.Context, request openai.CompletionRequest, options ...CallOption) (CompletionResponse, error)
	CreateCompletionStream(ctx context.Context, request openai.CompletionRequest, options ...CallOption) (*CompletionStream, error)
	CreateEmbeddings(ctx context.Context, request openai.EmbeddingRequestConverter, options ...CallOption) (EmbeddingResponse, error)
	ListModels(ctx context.Context) (openai.ModelsList, error)
	Quote(ctx context.Context, request openai.ChatCompletionRequest, options ...CallOption) (Quote, error)
}

var _ API = (*Client)(nil)

// New makes a Client that calls an endpoint. Its errors are those of the endpoint and of options; nothing is sent, so an
// empty or wrong key shows at the first call.
func New(endpoint Endpoint, options ...Option) (*Client, error) {
	var config clientConfig
	for _, option := range options {
		if option == nil {
			continue
		}
		if err := option.applyToClient(&config); err != nil {
			return nil, fmt.Errorf("farebox: %w", err)
		}
	}
	c := &Client{
		format: wireopenai.Format{}, choices: config.choices, ladder: config.ladder, timeout: config.timeout,
		maxResponseBytes: config.maxResponseBytes, maxEventBytes: config.maxEventBytes,
		streamedAnswers: config.streamedAnswers,
	}
	c.setDefaults()
	var err error
	if c.retry, err = config.retry.resolve(); err != nil {
		return nil, fmt.Errorf("farebox: %w", err)
	}
	if err := c.setMeter(&config); err != nil {
		return nil, err
	}
	if c.endpoint, err = c.meter.register(endpoint); err != nil {
		return nil, fmt.Errorf("farebox: %w", err)
	}
	c.setHTTPClient(config.httpClient)
	return c, nil
}

func (c *Client) setDefaults() {
	if c.timeout == 0 {
		c.timeout = defaultAttemptTimeout
	}
	if c.maxResponseBytes == 0 {
		c.maxResponseBytes = defaultMaxResponseBytes
	}
	if c.maxEventBytes == 0 {
		c.maxEventBytes = defaultMaxEventBytes
	}
}

func (c *Client) setMeter(config *clientConfig) error {
	if config.meter == nil {
		c.ownMeter = true
		var err error
		c.meter, err = newMeter(&config.meterConfig)
		return err
	}
	if config.meterOptions > 0 {
		return errors.New("farebox: WithMeter stands beside options that a Meter takes when it is made, such as WithBudget: give them to NewMeter")
	}
	c.meter = config.meter
	for _, e := range config.endpoints {
		if _, err := c.meter.register(e); err != nil {
			return fmt.Errorf("farebox: %w", err)
		}
	}
	return nil
}

func (c *Client) setHTTPClient(given *http.Client) {
	c.http = c.meter.HTTPClient()
	if given == nil {
		return
	}
	own := *given
	own.Transport = c.meter.Transport(given.Transport)
	if own.CheckRedirect == nil {
		own.CheckRedirect = c.http.CheckRedirect
	}
	c.http = &own
}

// Meter is what the Client's calls pass through: its ledger, guard and catalog.
func (c *Client) Meter() *Meter { return c.meter }

// Close closes the Meter that the Client made for itself, as [Meter.Close] says; one of [WithMeter] stays open.
func (c *Client) Close(ctx context.Context) error {
	if !c.ownMeter {
		return nil
	}
	return c.meter.Close(ctx)
}

// CreateChatCompletion asks for a chat completion. The error of a call that farebox refused matches ErrRefused, one that
// the provider reported ErrProvider, and a failure of the network ErrNetwork; [ReceiptsOf] says what a failed call cost.
// With [WithStreamedAnswers] a budget can cut it: beside an error that matches ErrBudgetCut stands what was received.
func (c *Client) CreateChatCompletion(ctx context.Context, request openai.ChatCompletionRequest, options ...CallOption) (ChatCompletionResponse, error) {
	if err := checkChat(&request); err != nil {
		return ChatCompletionResponse{}, err
	}
	if request.Stream {
		return ChatCompletionResponse{}, badRequest("the request asks for a stream: use CreateChatCompletionStream")
	}
	var resp ChatCompletionResponse
	err := c.unary(ctx, callSpec{op: wire.Chat, path: "chat/completions", model: request.Model, request: request, options: options},
		&resp.Outcome, func(body []byte, head http.Header) error {
			resp.SetHeader(head)
			return decodeChat(body, &resp.ChatCompletionResponse)
		})
	return resp, err
}

// CreateChatCompletionStream asks for a chat completion as a stream. It returns once the first event is there, so that
// what fails before it is retried and fallen back from. The stream must be closed, or read to its end.
func (c *Client) CreateChatCompletionStream(ctx context.Context, request openai.ChatCompletionRequest, options ...CallOption) (*ChatCompletionStream, error) {
	if err := checkChat(&request); err != nil {
		return nil, err
	}
	request.Stream = true
	stream := &ChatCompletionStream{}
	stream.decode = decodeChatChunk
	spec := callSpec{op: wire.Chat, path: "chat/completions", model: request.Model, request: request, stream: true, options: options}
	if err := c.openStream(ctx, spec, &stream.core); err != nil {
		return nil, err
	}
	return stream, nil
}

// CreateCompletion asks for a completion of a text. Its errors are those of CreateChatCompletion.
func (c *Client) CreateCompletion(ctx context.Context, request openai.CompletionRequest, options ...CallOption) (CompletionResponse, error) {
	if err := checkCompletion(&request); err != nil {
		return CompletionResponse{}, err
	}
	if request.Stream {
		return CompletionResponse{}, badRequest("the request asks for a stream: use CreateCompletionStream")
	}
	var resp CompletionResponse
	err := c.unary(ctx, callSpec{op: wire.TextCompletion, path: "completions", model: request.Model, request: request, options: options},
		&resp.Outcome, func(body []byte, head http.Header) error {
			resp.SetHeader(head)
			return decode(body, &resp.CompletionResponse)
		})
	return resp, err
}

// CreateCompletionStream asks for a completion of a text as a stream; see CreateChatCompletionStream.
func (c *Client) CreateCompletionStream(ctx context.Context, request openai.CompletionRequest, options ...CallOption) (*CompletionStream, error) {
	if err := checkCompletion(&request); err != nil {
		return nil, err
	}
	request.Stream = true
	stream := &CompletionStream{}
	stream.decode = decodeCompletionChunk
	spec := callSpec{op: wire.TextCompletion, path: "completions", model: request.Model, request: request, stream: true, options: options}
	if err := c.openStream(ctx, spec, &stream.core); err != nil {
		return nil, err
	}
	return stream, nil
}

// CreateEmbeddings asks for the embeddings of texts or tokens. Its errors are those of CreateChatCompletion.
func (c *Client) CreateEmbeddings(ctx context.Context, request openai.EmbeddingRequestConverter, options ...CallOption) (EmbeddingResponse, error) {
	if request == nil {
		return EmbeddingResponse{}, badRequest("the embeddings request is nil")
	}
	plain := request.Convert()
	switch {
	case plain.Model == "":
		return EmbeddingResponse{}, badRequest("the request names no model")
	case plain.Input == nil:
		return EmbeddingResponse{}, badRequest("the request has no input")
	}
	extra := plain.ExtraBody
	plain.ExtraBody = nil // go-openai's client sends these at the top level
	for name, value := range extra {
		options = append([]CallOption{WithField(name, value)}, options...)
	}
	var resp EmbeddingResponse
	err := c.unary(ctx, callSpec{op: wire.Embeddings, path: "embeddings", model: string(plain.Model), request: plain, options: options},
		&resp.Outcome, func(body []byte, head http.Header) error {
			resp.SetHeader(head)
			return decodeEmbeddings(body, &resp.EmbeddingResponse)
		})
	return resp, err
}

// ListModels lists the models of the Client's first endpoint. It costs nothing and is not metered. Its errors are those
// of CreateChatCompletion.
func (c *Client) ListModels(ctx context.Context) (openai.ModelsList, error) {
	var list openai.ModelsList
	this := &call{client: c, endpoint: c.endpoint}
	err := c.retry.repeat(ctx, func() error {
		ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, errAttemptTimeout)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.endpoint.at("models"), http.NoBody)
		if err != nil {
			return fmt.Errorf("farebox: endpoint %s: %w", c.endpoint.name, stripURL(err))
		}
		this.setHeader(req.Header)
		this.attempts++
		resp, err := c.http.Do(req)
		if err != nil {
			return this.failure(ctx, err)
		}
		resp.Request = req
		_, err = whole(c.maxResponseBytes, func(body []byte, head http.Header) error {
			list.SetHeader(head)
			return decode(body, &list)
		})(this, resp, nil)
		return err
	})
	return list, err
}

// Quote prices a request without sending it: what it will probably cost, and the most that it can. A model without a
// price is no error; Priced is then false. For a name of [WithModelChoice] it prices the candidate that would be tried
// first. No budget is asked whether the call would fit.
func (c *Client) Quote(ctx context.Context, request openai.ChatCompletionRequest, options ...CallOption) (Quote, error) {
	if err := checkChat(&request); err != nil {
		return Quote{}, err
	}
	o, err := newCallOptions(options)
	if err != nil {
		return Quote{}, err
	}
	body, err := o.encode(request, request.Stream)
	if err != nil {
		return Quote{}, err
	}
	first := c.endpoint
	if o.endpoint != "" {
		if first, err = c.endpointNamed(o.endpoint); err != nil {
			return Quote{}, err
		}
	}
	spec := callSpec{op: wire.Chat, path: "chat/completions", model: request.Model}
	candidates, err := c.candidates(ctx, first, spec, body)
	if err != nil {
		return Quote{}, err
	}
	body, _, err = forModel(body, candidates[0].endpoint, request.Model, candidates[0].model)
	if err != nil {
		return Quote{}, err
	}
	parsed, err := c.format.ReadRequest(wire.Chat, wire.Target{Path: candidates[0].endpoint.url.Path + "/chat/completions"}, body)
	if err != nil {
		return Quote{}, fmt.Errorf("farebox: %w", err)
	}
	return c.meter.quoteAsking(ctx, candidates[0].endpoint, &parsed, &payload{format: c.format, body: body}), nil
}

// unary makes a call whose answer is read whole, and fills in what it cost.
func (c *Client) unary(ctx context.Context, spec callSpec, outcome *Outcome, take func([]byte, http.Header) error) error {
	keep := func(body []byte, head http.Header) error {
		outcome.Raw = json.RawMessage(body)
		return take(body, head)
	}
	read := whole(c.maxResponseBytes, keep)
	if spec.op == wire.Chat {
		read = assembled(read, keep)
	}
	this, err := c.perform(ctx, spec, read)
	if err != nil {
		if !errors.Is(err, ErrBudgetCut) { // what came before a cut stands
			*outcome = Outcome{}
		}
		outcome.fill(ReceiptsOf(err))
		return err
	}
	outcome.fill(this.all())
	return this.end(nil)
}

func (c *Client) endpointNamed(name string) (*endpoint, error) {
	c.meter.endpoints.RLock()
	defer c.meter.endpoints.RUnlock()
	for _, e := range c.meter.endpoints.list {
		if e.name == name {
			return e, nil
		}
	}
	return nil, badRequest(fmt.Sprintf("there is no endpoint named %q: register it with WithEndpoint", name))
}

func checkChat(request *openai.ChatCompletionRequest) error {
	switch {
	case request.Model == "":
		return badRequest("the request names no model")
	case len(request.Messages) == 0:
		return badRequest("the request has no messages")
	}
	return nil
}

func checkCompletion(request *openai.CompletionRequest) error {
	switch {
	case request.Model == "":
		return badRequest("the request names no model")
	case request.Prompt == nil:
		return badRequest("the request has no prompt")
	}
	return nil
}

func badRequest(what string) error { return fmt.Errorf("farebox: %s: %w", what, ErrBadRequest) }
