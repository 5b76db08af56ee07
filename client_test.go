package farebox_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"github.com/farebox-go/farebox"
)

func TestChatCompletion(t *testing.T) {
	t.Parallel()
	p := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "req-7")
		answers(200, chatAnswer)(w, r)
	})
	client := newClient(t, openAIAt(p))
	ctx := farebox.ContextWithTags(context.Background(), farebox.Tags{"team": "search", "user": "u1"})
	before := time.Now()
	resp, err := client.CreateChatCompletion(ctx, chatRequest(),
		farebox.WithTags(farebox.Tags{"user": "u2"}), farebox.WithRequestHeader("X-Title", "tests"))
	if err != nil {
		t.Fatal(err)
	}
	if resp.Choices[0].Message.Content != "Hello there" || resp.Header().Get("X-Request-Id") != "req-7" {
		t.Errorf("answer %+v, header %v", resp.ChatCompletionResponse, resp.Header())
	}
	r := resp.Receipt
	if resp.Cost != chatCost || len(resp.Receipts) != 1 || r.Source != farebox.Computed || r.Computed != chatCost {
		t.Errorf("cost %s, receipts %v", resp.Cost, resp.Receipts)
	}
	if r.Endpoint != "openai" || r.Operation != "chat" || r.ModelAsked != testModel || r.Model != testModel || r.Status != 200 ||
		r.RequestID != "req-7" || r.GenerationID != "chatcmpl-1" || r.FinishReason != "stop" || r.Attempt != 1 || r.Partial || r.ErrorType != "" {
		t.Errorf("receipt %+v", r)
	}
	if r.Tags["team"] != "search" || r.Tags["user"] != "u2" || len(r.Tags) != 2 {
		t.Errorf("tags %v, want the call's over its context's", r.Tags)
	}
	if r.Start.Before(before.Add(-time.Second)) || r.Duration <= 0 || r.Price.Source != "WithPrice" || string(r.RawUsage) != usageJSON {
		t.Errorf("receipt %+v", r)
	}
	if r.Quote.Most.Less(r.Cost) || len(r.Lines) != 2 {
		t.Errorf("quote %+v, lines %+v", r.Quote, r.Lines)
	}
	sent := p.only(t)
	if sent.path != "/v1/chat/completions" || sent.header.Get("Authorization") != "Bearer "+testKey ||
		sent.header.Get("X-Title") != "tests" || sent.header.Get("Content-Type") != "application/json" {
		t.Errorf("sent %v to %s", sent.header, sent.path)
	}
	for _, name := range []string{"Traceparent", "Baggage"} {
		if sent.header.Get(name) != "" {
			t.Errorf("%s was sent to the provider", name)
		}
	}
	if fromLedger := onlyReceipt(t, client.Meter()); fromLedger.ID != r.ID {
		t.Errorf("ledger has %v", fromLedger)
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, `{"id":"cmpl-1","object":"text_completion","created":1,"model":"test-model","choices":[{"index":0,"text":"Hello","finish_reason":"stop"}],"usage":`+usageJSON+`}`))
	resp, err := newClient(t, openAIAt(p)).CreateCompletion(context.Background(), openai.CompletionRequest{Model: testModel, Prompt: []string{"a", "b"}, MaxTokens: 10})
	if err != nil {
		t.Fatal(err)
	}
	if resp.Choices[0].Text != "Hello" || resp.Cost != chatCost || resp.Receipt.Operation != "text_completion" || p.only(t).path != "/v1/completions" {
		t.Errorf("%+v, receipt %s", resp.CompletionResponse, resp.Receipt)
	}
}

func TestEmbeddings(t *testing.T) {
	t.Parallel()
	var packed [8]byte
	binary.LittleEndian.PutUint32(packed[:4], math.Float32bits(0.5))
	binary.LittleEndian.PutUint32(packed[4:], math.Float32bits(-2))
	for name, vector := range map[string]string{"numbers": "[0.5,-2]", "base64": `"` + base64.StdEncoding.EncodeToString(packed[:]) + `"`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, answers(200, `{"object":"list","model":"test-model","data":[{"object":"embedding","index":0,"embedding":`+vector+`}],"usage":{"prompt_tokens":50,"total_tokens":50}}`))
			resp, err := newClient(t, openAIAt(p)).CreateEmbeddings(context.Background(), openai.EmbeddingRequestStrings{
				Model: testModel, Input: []string{"some text"}, ExtraBody: map[string]any{"input_type": "query"},
			})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(resp.Data[0].Embedding, []float32{0.5, -2}) {
				t.Errorf("embedding %v", resp.Data[0].Embedding)
			}
			if r := resp.Receipt; r.Cost != farebox.MustMoney("0.00005") || r.Operation != "embeddings" || r.Usage.Input != 50 || r.Usage.Output != 0 {
				t.Errorf("receipt %s, usage %+v", r, r.Usage)
			}
			sent := object(t, p.only(t).body)
			if string(sent["input_type"]) != `"query"` || string(sent["input"]) != `["some text"]` || p.only(t).path != "/v1/embeddings" {
				t.Errorf("sent %s", p.only(t).body)
			}
		})
	}
}

func TestListModelsIsNotMetered(t *testing.T) {
	t.Parallel()
	p := serve(t, inTurn(answers(503, ""), answers(200, `{"object":"list","data":[{"id":"m1"},{"id":"m2"}]}`)))
	client := newClient(t, openAIAt(p), farebox.WithBudget(farebox.Budget{Name: "nothing"}))
	list, err := client.ListModels(context.Background())
	if err != nil || len(list.Models) != 2 {
		t.Fatalf("%v, %v", list.Models, err)
	}
	if sent := p.requests(); len(sent) != 2 || sent[1].path != "/v1/models" || sent[1].header.Get("Authorization") != "Bearer "+testKey {
		t.Errorf("requests %+v, want a retry, and the key", sent)
	}
	if n := len(ledger(client.Meter())); n != 0 {
		t.Errorf("%d receipts of a call that costs nothing", n)
	}
}

func TestQuoteSendsNothing(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, chatAnswer))
	client := newClient(t, openAIAt(p), farebox.WithModelChoice("smart", farebox.Fallback(farebox.On("", testModel))))
	request := chatRequest()
	quote, err := client.Quote(context.Background(), request)
	if err != nil {
		t.Fatal(err)
	}
	if !quote.Priced || quote.Most.Sign() <= 0 || quote.Most.Less(quote.Expected) || quote.MostOutputTokens != 100 || quote.Model != testModel {
		t.Errorf("quote %+v", quote)
	}
	resp, err := client.CreateChatCompletion(context.Background(), request)
	if err != nil || resp.Receipt.Quote.Most != quote.Most || resp.Receipt.Quote.Expected.IsZero() {
		t.Errorf("held at %+v, quoted %+v, %v", resp.Receipt.Quote, quote, err)
	}
	p.only(t)
	request.Model = "smart"
	if chosen, err := client.Quote(context.Background(), request); err != nil || chosen.Model != testModel || chosen.Most != quote.Most {
		t.Errorf("quote of a choice %+v, %v", chosen, err)
	}
	request.Model = "no-such-model"
	if unpriced, err := client.Quote(context.Background(), request); err != nil || unpriced.Priced {
		t.Errorf("quote of a model without a price %+v, %v", unpriced, err)
	}
	request.Model = ""
	if _, err := client.Quote(context.Background(), request); !errors.Is(err, farebox.ErrBadRequest) {
		t.Errorf("quote of no model: %v", err)
	}
}

func TestOptionsOfTheWire(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, chatAnswer))
	client := newClient(t, openAIAt(p))
	request := chatRequest()
	request.Temperature = 0.7
	_, err := client.CreateChatCompletion(context.Background(), request,
		nil, farebox.WithField("temperature", 0.1), farebox.WithField("temperature", 0), farebox.WithField("seed", 7), farebox.WithField("seed", nil),
		farebox.WithField("odd \"name\"", "<&>"))
	if err != nil {
		t.Fatal(err)
	}
	sent := object(t, p.only(t).body)
	if string(sent["temperature"]) != "0" || sent["seed"] != nil {
		t.Errorf("sent %s, want the last option to win", p.only(t).body)
	}
	var odd string
	if err := json.Unmarshal(sent[`odd "name"`], &odd); err != nil || odd != "<&>" {
		t.Errorf("sent %s", p.only(t).body)
	}
	if n := strings.Count(p.only(t).body, `"temperature"`); n != 1 {
		t.Errorf("temperature stands %d times in the request", n)
	}
}

func TestKeysAndHeadersOfEndpoints(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		endpoint farebox.Endpoint
		header   string
		value    string
	}{
		{"bearer", farebox.TogetherAI(testKey), "Authorization", "Bearer " + testKey},
		{"azure", farebox.Compatible("az", "https://x.openai.azure.com/openai", testKey), "Api-Key", testKey},
		{"own header", farebox.Compatible("mine", "http://host", "").WithHeader("X-Own", "1"), "X-Own", "1"},
		{"replaced", farebox.OpenAI(testKey).WithHeader("authorization", "Custom"), "Authorization", "Custom"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, answers(200, chatAnswer))
			client := newClient(t, tt.endpoint.WithBaseURL(p.URL+"/v1/").WithKeyLabel("prod"))
			resp, err := client.CreateChatCompletion(context.Background(), chatRequest())
			if err != nil {
				t.Fatal(err)
			}
			sent := p.only(t)
			if sent.header.Get(tt.header) != tt.value || sent.path != "/v1/chat/completions" || resp.Receipt.KeyLabel != "prod" {
				t.Errorf("sent %v to %s, label %q", sent.header, sent.path, resp.Receipt.KeyLabel)
			}
			if tt.name == "own header" && sent.header.Get("Authorization") != "" {
				t.Error("an Authorization header was sent without a key")
			}
		})
	}
}

func TestClientsThatShareAMeter(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, chatAnswer))
	meter := newMeter(t)
	one, err := farebox.New(openAIAt(p), farebox.WithMeter(meter))
	if err != nil {
		t.Fatal(err)
	}
	two, err := farebox.New(openAIAt(p).WithName("other"), farebox.WithMeter(meter), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, client := range []*farebox.Client{one, two, one} {
		if _, err := client.CreateChatCompletion(context.Background(), chatRequest()); err != nil {
			t.Fatal(err)
		}
		if err := client.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if total := meter.Ledger().Total(); total.Attempts != 3 || total.Cost != chatCost.Mul(3) {
		t.Errorf("total %+v; want 3 calls, through clients whose Close leaves the meter open", total)
	}
	for name, option := range map[string]farebox.Option{"budget": farebox.WithBudget(farebox.Budget{Name: "b"}), "nil meter": farebox.WithMeter(nil)} {
		if _, err := farebox.New(openAIAt(p).WithName("third"), farebox.WithMeter(meter), option); err == nil {
			t.Errorf("%s beside WithMeter: no error", name)
		}
	}
	if _, err := farebox.New(farebox.OpenAI("another key"), farebox.WithMeter(meter)); err == nil {
		t.Error("two endpoints of one name with two keys: no error")
	}
}

func TestOwnHTTPClient(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, chatAnswer))
	through := 0
	own := &http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
		through++
		return http.DefaultTransport.RoundTrip(req)
	})}
	client := newClient(t, openAIAt(p), farebox.WithHTTPClient(own))
	if _, err := client.CreateChatCompletion(context.Background(), chatRequest()); err != nil {
		t.Fatal(err)
	}
	onlyReceipt(t, client.Meter())
	if through != 1 || own.CheckRedirect != nil {
		t.Errorf("%d requests through the client's transport; its redirect policy changed: %v", through, own.CheckRedirect != nil)
	}
}

// TestOwnHTTPClientTimeout: a timeout of the HTTP client's own is a timeout, and is charged.
func TestOwnHTTPClientTimeout(t *testing.T) {
	t.Parallel()
	p := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	client := newClient(t, openAIAt(p), noRetry, farebox.WithHTTPClient(&http.Client{Timeout: 2 * time.Second}))
	_, err := client.CreateChatCompletion(context.Background(), chatRequest())
	if !errors.Is(err, farebox.ErrTimeout) {
		t.Errorf("error %v, want ErrTimeout", err)
	}
	if r := onlyReceipt(t, client.Meter()); r.Source != farebox.Held {
		t.Errorf("receipt %s", r)
	}
}

func TestClientRefusesBadOptions(t *testing.T) {
	t.Parallel()
	for name, option := range map[string]farebox.Option{
		"timeout": farebox.WithAttemptTimeout(0), "response": farebox.WithMaxResponseBytes(0), "event": farebox.WithMaxEventBytes(-1),
		"request": farebox.WithMaxRequestBytes(0), "http client": farebox.WithHTTPClient(nil), "transport": farebox.WithBaseTransport(nil),
		"logger": farebox.WithLogger(nil), "sink": farebox.WithSink(nil), "ledger": farebox.WithLedgerSize(0), "catalog": farebox.WithCatalog(nil),
		"rates": farebox.WithUnpricedRates(nil), "tracer": farebox.WithTracerProvider(nil), "metrics": farebox.WithMeterProvider(nil),
		"budget": farebox.WithBudget(farebox.Budget{}), "endpoint": farebox.WithEndpoint(farebox.Endpoint{}),
		"same budget": farebox.WithBudget(farebox.Budget{Name: "b"}, farebox.Budget{Name: "b"}),
	} {
		if client, err := farebox.New(farebox.OpenAI(testKey), option); err == nil || client != nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := farebox.New(farebox.Endpoint{}); err == nil {
		t.Error("the zero Endpoint: no error")
	}
}
