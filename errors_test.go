package farebox_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"github.com/farebox-go/farebox"
)

var kinds = map[string]error{
	"rate_limit": farebox.ErrRateLimit, "payment_required": farebox.ErrPaymentRequired, "auth": farebox.ErrAuth,
	"context_length": farebox.ErrContextLength, "content_filter": farebox.ErrContentFilter, "timeout": farebox.ErrTimeout,
}

// TestErrorKinds sends bodies as the providers word them.
func TestErrorKinds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		status    int
		body      string
		kind      string // ErrorType; one of kinds, or the status
		retryable bool
	}{
		{"openai rate limit", 429, `{"error":{"message":"Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Used 29000","type":"tokens","param":null,"code":"rate_limit_exceeded"}}`, "rate_limit", true},
		{"openai no money", 429, `{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`, "payment_required", false},
		{"openai context", 400, `{"error":{"message":"This model's maximum context length is 128000 tokens. However, your messages resulted in 200000 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`, "context_length", false},
		{"openai key", 401, `{"error":{"message":"Incorrect API key provided: sk-abc***def.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}`, "auth", false},
		{"openai permission", 403, `{"error":{"message":"You are not allowed to sample from this model","type":"invalid_request_error","param":null,"code":null}}`, "auth", false},
		{"openai model", 404, `{"error":{"message":"The model 'x' does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}`, "404", false},
		{"openai server", 500, `{"error":{"message":"The server had an error while processing your request.","type":"server_error","param":null,"code":null}}`, "500", true},
		{"openai overloaded", 503, `{"error":{"message":"The engine is currently overloaded, please try again later","type":"overloaded","param":null,"code":null}}`, "rate_limit", true},
		{"openai parameter", 400, `{"error":{"message":"Unknown parameter: 'quality'.","type":"invalid_request_error","param":"quality","code":"unknown_parameter"}}`, "400", false},
		{"openrouter upstream limit", 429, `{"error":{"code":429,"message":"Provider returned error","metadata":{"provider_name":"Google","raw":"x:free is temporarily rate-limited upstream."}},"user_id":"u"}`, "rate_limit", true},
		{"openrouter credits", 402, `{"error":{"code":402,"message":"Insufficient credits. Add more using https://openrouter.ai/settings/credits"}}`, "payment_required", false},
		{"openrouter spending in flight", 402, `{"error":{"code":402,"message":"Too much in flight","metadata":{"error_type":"in_flight_budget_exhausted"}}}`, "rate_limit", true},
		{"openrouter in flight, by its reason", 402, `{"error":{"code":402,"message":"This request would exceed your available credits given your current in-flight requests.","metadata":{"reason":"in_flight_budget_exhausted","headers":{"Retry-After":"3"}}}}`, "rate_limit", true},
		{"openrouter too dear", 402, `{"error":{"code":402,"message":"Too large","metadata":{"reason":"weight_exceeds_budget"}}}`, "payment_required", false},
		{"openrouter workspace limit", 403, `{"error":{"code":403,"message":"Limit reached","metadata":{"limit_source":"workspace","limit_usd":5,"spend_usd":5.1,"resets_at":"2026-12-01T00:00:00Z"}}}`, "payment_required", false},
		{"openai hard limit", 429, `{"error":{"message":"Billing hard limit has been reached","type":"invalid_request_error","code":"billing_hard_limit_reached"}}`, "payment_required", false},
		{"litellm budget", 400, `{"error":{"message":"Budget has been exceeded! Current cost: 52.9, Max budget: 50.0","type":"budget_exceeded","param":null,"code":"400"}}`, "payment_required", false},
		{"openrouter key limit", 403, `{"error":{"code":403,"message":"Key limit exceeded (daily limit). Manage it using https://openrouter.ai/settings/keys"}}`, "payment_required", false},
		{"openrouter moderation", 403, `{"error":{"code":403,"message":"openai/gpt-4o requires moderation on OpenInference. Your input was flagged for \"violence\".","metadata":{"reasons":["violence"],"flagged_input":"...","provider_name":"OpenInference"}}}`, "content_filter", false},
		{"openrouter no provider", 503, `{"error":{"code":503,"message":"No endpoints found that can handle the requested parameters."}}`, "503", true},
		{"openrouter timeout", 408, `{"error":{"code":408,"message":"Request timed out"}}`, "timeout", true},
		{"openrouter overloaded", 529, `{"error":{"code":529,"message":"Provider overloaded","metadata":{"error_type":"provider_overloaded"}}}`, "rate_limit", true},
		{"openrouter gateway timeout", 524, `{"error":{"code":524,"message":"Provider timed out"}}`, "timeout", true},
		{"anthropic overloaded", 529, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}`, "rate_limit", true},
		{"anthropic context", 400, `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}`, "context_length", false},
		{"anthropic context with limit", 400, `{"error":{"type":"invalid_request_error","message":"input length and max_tokens exceed context limit: 199000 + 8192 > 200000"}}`, "context_length", false},
		{"anthropic no money", 400, `{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}`, "payment_required", false},
		{"anthropic usage limit", 400, `{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."}}`, "payment_required", false},
		{"anthropic key", 401, `{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}`, "auth", false},
		{"azure filter", 400, `{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}`, "content_filter", false},
		{"azure limit", 429, `{"error":{"code":"429","message":"Requests to the ChatCompletions_Create Operation have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 7 seconds."}}`, "rate_limit", true},
		{"azure key", 401, `{"error":{"code":"401","message":"Access denied due to invalid subscription key or wrong API endpoint."}}`, "auth", false},
		{"azure deployment", 404, `{"error":{"type":"invalid_request_error","code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}`, "404", false},
		{"groq size", 413, `{"error":{"message":"Request too large for model on tokens per minute (TPM): Limit 6000, Requested 9000","type":"tokens","code":"rate_limit_exceeded"}}`, "rate_limit", true},
		{"groq tool", 400, `{"error":{"message":"Tool call validation failed","type":"invalid_request_error","code":"tool_use_failed","failed_generation":"secret words"}}`, "400", false},
		{"venice", 404, `{"error":"Specified model not found: x. Did you mean: y?"}`, "404", false},
		{"xai credits", 403, `{"code":"The caller does not have permission to execute the specified operation","error":"Your team has either used all available credits or reached its monthly spending limit."}`, "payment_required", false},
		{"xai context", 400, `{"code":"invalid-argument","error":"This model's maximum prompt length is 131072 but the request contains 200000 tokens."}`, "context_length", false},
		{"deepseek balance", 402, `{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}`, "payment_required", false},
		{"gemini context", 400, `[{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}]`, "context_length", false},
		{"gemini limit", 429, `[{"error":{"code":429,"message":"Resource has been exhausted (e.g. check quota).","status":"RESOURCE_EXHAUSTED"}}]`, "rate_limit", true},
		{"llama.cpp context", 400, `{"error":{"code":400,"message":"request (2009 tokens) exceeds the available context size (512 tokens), try increasing it","type":"exceed_context_size_error","n_ctx":512}}`, "context_length", false},
		{"llama.cpp unsupported", 501, `{"error":{"code":501,"message":"This server does not support reranking.","type":"not_supported_error"}}`, "501", false},
		{"mistral", 400, `{"object":"error","message":"Invalid model: x","type":"invalid_model","param":null,"code":"1500","raw_status_code":400}`, "400", false},
		{"conflict", 409, `{"error":{"message":"try again"}}`, "409", true},
		{"proxy timeout", 504, `upstream request timeout`, "timeout", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, answers(tt.status, tt.body))
			_, err := newClient(t, openAIAt(p), noRetry).CreateChatCompletion(context.Background(), chatRequest())
			var failure *farebox.APIError
			if !errors.As(err, &failure) || failure.Status != tt.status {
				t.Fatalf("error %v, want an APIError of status %d", err, tt.status)
			}
			if failure.ErrorType() != tt.kind || failure.Retryable() != tt.retryable {
				t.Errorf("kind %q, retryable %v; want %q, %v", failure.ErrorType(), failure.Retryable(), tt.kind, tt.retryable)
			}
			for kind, sentinel := range kinds {
				if errors.Is(err, sentinel) != (kind == tt.kind) {
					t.Errorf("errors.Is(%v) = %v", sentinel, errors.Is(err, sentinel))
				}
			}
			wantOnly(t, err, farebox.ErrProvider)
			if receipts := farebox.ReceiptsOf(err); len(receipts) != 1 || receipts[0].ErrorType != tt.kind || receipts[0].Status != tt.status {
				t.Errorf("receipts %+v, want one with error type %q", receipts, tt.kind)
			}
		})
	}
}

// wantOnly checks that an error is of one of the three origins only.
func wantOnly(t *testing.T, err, want error) {
	t.Helper()
	for _, origin := range []error{farebox.ErrRefused, farebox.ErrProvider, farebox.ErrNetwork} {
		if errors.Is(err, origin) != (origin == want) {
			t.Errorf("errors.Is(%q, %q) = %v", err, origin, errors.Is(err, origin))
		}
	}
}

// closedPort is an address that refuses connections.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return "http://" + address
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	small := farebox.Budget{Name: "small", Cap: farebox.MustMoney("0.00000001")}
	wide := farebox.Budget{Name: "wide", Cap: farebox.Dollars(1)}
	tests := []struct {
		name    string
		options []farebox.Option
		change  func(*farebox.Client)
		model   string
		want    []error
		reason  farebox.RefusalReason
	}{
		{name: "budget", options: []farebox.Option{farebox.WithBudget(small)}, want: []error{farebox.ErrBudgetExceeded}, reason: farebox.ReasonExhausted},
		{name: "unpriced", options: []farebox.Option{farebox.WithBudget(wide)}, model: "no-such-model", want: []error{farebox.ErrUnpriced}, reason: farebox.ReasonUnpriceable},
		{name: "paused", change: func(c *farebox.Client) { c.Meter().Guard().Pause(farebox.Target{Endpoint: "openai"}) }, want: []error{farebox.ErrPaused}, reason: farebox.ReasonPaused},
		{name: "closed", change: func(c *farebox.Client) { _ = c.Close(context.Background()) }, want: []error{farebox.ErrClosed}},
		{name: "no candidate", options: []farebox.Option{farebox.WithModelChoice("cheap", farebox.Cheapest(farebox.On("", "no-such-model")))}, model: "cheap", want: []error{farebox.ErrNoCandidate}},
		{name: "body too long", options: []farebox.Option{farebox.WithMaxRequestBytes(10)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, answers(200, chatAnswer))
			client := newClient(t, openAIAt(p), tt.options...)
			if tt.change != nil {
				tt.change(client)
			}
			request := chatRequest()
			if tt.model != "" {
				request.Model = tt.model
			}
			_, unary := client.CreateChatCompletion(context.Background(), request)
			stream, streamed := client.CreateChatCompletionStream(context.Background(), request)
			if stream != nil {
				t.Error("a stream was returned beside its error")
			}
			for _, err := range []error{unary, streamed} {
				wantOnly(t, err, farebox.ErrRefused)
				for _, want := range tt.want {
					if !errors.Is(err, want) {
						t.Errorf("error %v does not match %v", err, want)
					}
				}
				var refused *farebox.BudgetError
				if errors.As(err, &refused) != (tt.reason != "") || tt.reason != "" && refused.Reason != tt.reason {
					t.Errorf("error %v, want reason %q", err, tt.reason)
				}
				if farebox.ReceiptsOf(err) != nil {
					t.Errorf("receipts %v of a call that was refused", farebox.ReceiptsOf(err))
				}
			}
			if n := len(p.requests()); n != 0 {
				t.Errorf("%d requests were sent", n)
			}
		})
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, chatAnswer))
	client := newClient(t, openAIAt(p))
	ctx := context.Background()
	noModel, noMessages, streamed := chatRequest(), chatRequest(), chatRequest()
	noModel.Model, noMessages.Messages, streamed.Stream = "", nil, true
	failures := map[string]func() error{
		"no model":    func() error { _, err := client.CreateChatCompletion(ctx, noModel); return err },
		"no messages": func() error { _, err := client.CreateChatCompletionStream(ctx, noMessages); return err },
		"no endpoint": func() error {
			_, err := client.CreateChatCompletion(ctx, chatRequest(), farebox.WithCallEndpoint("nowhere"))
			return err
		},
		"nil embeddings":           func() error { _, err := client.CreateEmbeddings(ctx, nil); return err },
		"a stream read as a whole": func() error { _, err := client.CreateChatCompletion(ctx, streamed); return err },
		"a stream of text read as a whole": func() error {
			_, err := client.CreateCompletion(ctx, openai.CompletionRequest{Model: testModel, Prompt: "x", Stream: true})
			return err
		},
	}
	for name, call := range failures {
		if err := call(); !errors.Is(err, farebox.ErrBadRequest) {
			t.Errorf("%s: %v, want ErrBadRequest", name, err)
		} else {
			wantOnly(t, err, farebox.ErrRefused)
		}
	}
	for name, option := range map[string]farebox.CallOption{
		"model": farebox.WithField("model", "x"), "stream": farebox.WithField("stream", true),
		"empty": farebox.WithField("", 1), "not JSON": farebox.WithField("f", func() {}), "endpoint": farebox.WithCallEndpoint(""),
	} {
		if _, err := client.CreateChatCompletion(ctx, chatRequest(), option); err == nil {
			t.Errorf("option %s: no error", name)
		}
	}
	if n := len(p.requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestNetworkFailures(t *testing.T) {
	t.Parallel()
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(chatAnswer)))
		_, _ = io.WriteString(w, chatAnswer[:40])
	}
	late := newDeadline()
	tests := []struct {
		name   string
		base   func(t *testing.T) string
		ctx    context.Context
		sent   bool
		source farebox.Source
		also   []error
		kind   string
	}{
		{name: "connection refused", base: closedPort, sent: false, source: farebox.Unbilled, kind: "network"},
		{name: "cut before the answer", base: func(t *testing.T) string { return serve(t, hangUp).URL }, sent: true, source: farebox.Held, kind: "network"},
		{name: "cut in the answer", base: func(t *testing.T) string { return serve(t, cut).URL }, sent: true, source: farebox.Held, also: []error{io.ErrUnexpectedEOF}},
		{
			name: "deadline", base: func(t *testing.T) string {
				return serve(t, func(_ http.ResponseWriter, r *http.Request) {
					late.pass()
					<-r.Context().Done()
				}).URL
			},
			ctx:  late,
			sent: true, source: farebox.Held, also: []error{context.DeadlineExceeded, farebox.ErrTimeout}, kind: "timeout",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx := cmp.Or(tt.ctx, context.Background())
			client := newClient(t, farebox.OpenAI(testKey).WithBaseURL(tt.base(t)), noRetry, farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(1)}))
			_, err := client.CreateChatCompletion(ctx, chatRequest())
			wantOnly(t, err, farebox.ErrNetwork)
			var failure *farebox.NetworkError
			if !errors.As(err, &failure) || failure.Sent != tt.sent || failure.Attempts != 1 || failure.Model != testModel || failure.Endpoint != "openai" {
				t.Fatalf("error %+v, want a NetworkError with Sent %v", failure, tt.sent)
			}
			for _, also := range tt.also {
				if !errors.Is(err, also) {
					t.Errorf("error %v does not match %v", err, also)
				}
			}
			receipts := farebox.ReceiptsOf(fmt.Errorf("wrapped: %w", err))
			if len(receipts) != 1 {
				t.Fatalf("%d receipts, want 1", len(receipts))
			}
			wantTaken(t, &receipts[0], tt.source)
			if receipts[0].ErrorType != tt.kind {
				t.Errorf("error type %q, want %q", receipts[0].ErrorType, tt.kind)
			}
		})
	}
}

func TestCancelledBeforeItIsSent(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, chatAnswer))
	client := newClient(t, openAIAt(p), farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(1)}))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := client.CreateChatCompletion(ctx, chatRequest())
	wantOnly(t, err, farebox.ErrNetwork)
	var failure *farebox.NetworkError
	if !errors.As(err, &failure) || failure.Sent || !errors.Is(err, context.Canceled) || farebox.ReceiptsOf(err) != nil {
		t.Errorf("error %v with receipts %v; want one that says that nothing was sent, and no receipt", err, farebox.ReceiptsOf(err))
	}
	if status := client.Meter().Guard().Snapshot()[0]; !status.Spent.IsZero() || len(p.requests()) != 0 {
		t.Errorf("%s spent, %d requests sent", status.Spent, len(p.requests()))
	}
}

// wantTaken checks that an attempt was charged at the most it can cost, or not at all.
func wantTaken(t *testing.T, r *farebox.Receipt, source farebox.Source) {
	t.Helper()
	if r.Source != source {
		t.Errorf("source %s, want %s", r.Source, source)
	}
	want := r.Quote.Most
	if r.Source == farebox.Unbilled {
		want = farebox.Money{}
	}
	if r.Cost != want || len(r.Budgets) != 1 || r.Budgets[0].Charged.IsZero() != want.IsZero() {
		t.Errorf("cost %s with budgets %+v, want %s", r.Cost, r.Budgets, want)
	}
}

func TestReceiptsOfOtherErrors(t *testing.T) {
	t.Parallel()
	for _, err := range []error{nil, io.EOF, farebox.ErrRefused, &farebox.APIError{}, &farebox.NetworkError{Err: io.EOF}, fmt.Errorf("x: %w", io.EOF)} {
		if receipts := farebox.ReceiptsOf(err); receipts != nil {
			t.Errorf("ReceiptsOf(%v) = %v", err, receipts)
		}
	}
}

// TestReceiptsOfARefusedRetry: the first attempt cost money, the second did not fit any more.
func TestReceiptsOfARefusedRetry(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(500, `{"error":{"message":"oops"}}`))
	request := chatRequest()
	client := newClient(t, openAIAt(p))
	quote, err := client.Quote(context.Background(), request)
	if err != nil {
		t.Fatal(err)
	}
	client = newClient(t, openAIAt(p), farebox.WithBudget(farebox.Budget{Name: "one", Cap: quote.Most}))
	_, err = client.CreateChatCompletion(context.Background(), request)
	wantOnly(t, err, farebox.ErrRefused)
	var refused *farebox.BudgetError
	if !errors.As(err, &refused) || refused.Budget != "one" {
		t.Fatalf("error %v, want the budget's", err)
	}
	receipts := farebox.ReceiptsOf(err)
	if len(receipts) != 1 || receipts[0].Cost != quote.Most || receipts[0].Source != farebox.Held {
		t.Errorf("receipts %v, want the first attempt's at %s", receipts, quote.Most)
	}
	if want := "attempts of the call before that: 1, for " + quote.Most.String(); !strings.Contains(err.Error(), want) {
		t.Errorf("the error says %q, want it to say %q", err, want)
	}
	p.only(t)
}

func TestErrorWords(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err  error
		want []string
		not  []string
	}{
		{
			&farebox.APIError{Endpoint: "openrouter", Upstream: "Azure", Status: 429, Type: "rate", Code: "c", Message: "slow", RequestID: "r1", RetryAfter: time.Second},
			[]string{"farebox: openrouter (Azure) answered 429 Too Many Requests (rate, c): slow", "r1", "1s"}, nil,
		},
		{&farebox.APIError{Endpoint: "e", Status: 200, Message: "m"}, []string{"answered 200 with an error inside", "m"}, []string{"()", "[request"}},
		{&farebox.APIError{Endpoint: "e", Status: 200, MidStream: true}, []string{"failed in mid-stream"}, nil},
		{&farebox.APIError{Endpoint: "e", Status: 500, Type: "same", Code: "same"}, []string{"(same)"}, []string{"same, same"}},
		{&farebox.NetworkError{Endpoint: "e", Err: io.ErrUnexpectedEOF}, []string{"farebox: e: nothing was sent: unexpected EOF"}, nil},
		{&farebox.NetworkError{Endpoint: "e", Sent: true, Err: io.ErrUnexpectedEOF}, []string{"the request had been sent"}, nil},
	}
	for _, tt := range tests {
		words := tt.err.Error()
		for _, want := range tt.want {
			if !strings.Contains(words, want) {
				t.Errorf("%q lacks %q", words, want)
			}
		}
		for _, not := range tt.not {
			if strings.Contains(words, not) {
				t.Errorf("%q has %q", words, not)
			}
		}
	}
}
