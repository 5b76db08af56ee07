package farebox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"net/url"
	"reflect"
	"strings"
	"testing"

	openai "github.com/sashabaranov/go-openai"

	"github.com/farebox-go/farebox"
)

// sentinels are the errors that an exchange can be expected to end in, by the names that expectations use.
var sentinels = map[string]error{
	"provider": farebox.ErrProvider, "network": farebox.ErrNetwork, "truncated": farebox.ErrStreamTruncated,
	"rate_limit": farebox.ErrRateLimit, "payment_required": farebox.ErrPaymentRequired, "auth": farebox.ErrAuth,
	"content_filter": farebox.ErrContentFilter, "context_length": farebox.ErrContextLength, "timeout": farebox.ErrTimeout,
}

// answered is what a call of the Client gave.
type answered struct {
	text    string
	vectors int
	outcome farebox.Outcome
	err     error
}

// throughClient sends an exchange's request by the Client's method for it and reads the answer to its end.
func (r *replayer) throughClient(t *testing.T, x *exchange) farebox.Receipt {
	client := r.clientFor(t, x)
	ctx, played := r.server.start(t.Context(), x)
	var got answered
	switch {
	case x.api == embeddingsAPI:
		got = x.embed(ctx, t, client)
	case x.api == completionAPI && x.streams():
		got = x.streamCompletion(ctx, t, client)
	case x.api == completionAPI:
		got = x.complete(ctx, t, client)
	case x.streams():
		got = x.streamChat(ctx, t, client)
	default:
		got = x.chat(ctx, t, client)
	}
	x.checkAnswer(t, &got)
	receipts := got.outcome.Receipts
	if got.err != nil && len(receipts) == 0 {
		receipts = farebox.ReceiptsOf(got.err)
	}
	if len(receipts) != 1 {
		t.Fatalf("%d receipts, want 1; the error is %v", len(receipts), got.err)
	}
	if got.outcome.Cost.Cmp(receipts[0].Cost) != 0 || got.outcome.Receipt.ID != receipts[0].ID {
		t.Errorf("cost %s and receipt %s, want %s and %s", got.outcome.Cost, got.outcome.Receipt.ID, receipts[0].Cost, receipts[0].ID)
	}
	checkSent(t, x.withoutAdditions(t, played.received(t)), x.Request.Body, receipts[0].Edits)
	if want, _ := url.Parse(x.Request.URL); played.path != want.Path || played.query != want.RawQuery {
		t.Errorf("sent to %s?%s, want %s", played.path, played.query, x.Request.URL)
	}
	return receipts[0]
}

// clientFor makes a Client for the endpoint of an exchange, or returns the one that there is.
func (r *replayer) clientFor(t *testing.T, x *exchange) *farebox.Client {
	t.Helper()
	base, err := url.Parse(x.Request.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, route := range []string{"/chat/completions", "/completions", "/embeddings"} {
		if path, ok := strings.CutSuffix(base.Path, route); ok {
			base.Path = path
			break
		}
	}
	address := base.String()
	r.mu.Lock()
	defer r.mu.Unlock()
	if client := r.clients[address]; client != nil {
		return client
	}
	hash := fnv.New32a()
	_, _ = io.WriteString(hash, address)
	name := fmt.Sprintf("%s-%x", x.provider, hash.Sum32())
	endpoint := farebox.Compatible(name, address, "a-key")
	if x.provider == "litellm-proxy" {
		endpoint = farebox.LiteLLM(address, "a-key").WithName(name)
	}
	client, err := farebox.New(endpoint, farebox.WithMeter(r.meter), farebox.WithRetry(farebox.Retry{MaxAttempts: 1}))
	if err != nil {
		t.Fatal(err)
	}
	r.clients[address] = client
	return client
}

// unnamed stands for the model of a request that names none: where the URL does, or something stored at the provider.
const unnamed = "unnamed"

// fit puts a recorded request into one of go-openai's types, as far as it fits, and what does not into options.
// complete fills in what farebox does not do without.
func fit[Request any](t *testing.T, recorded json.RawMessage, complete func(*Request)) (Request, []farebox.CallOption) {
	t.Helper()
	var request Request
	_ = json.Unmarshal(recorded, &request)
	_ = json.Unmarshal(onlyModel(recorded), &request) // the first may have stopped before it
	complete(&request)
	encoded, err := json.Marshal(request)
	if err != nil {
		request = *new(Request)
		_ = json.Unmarshal(onlyModel(recorded), &request)
		complete(&request)
		encoded, _ = json.Marshal(request)
	}
	var have, want map[string]json.RawMessage
	if err := json.Unmarshal(encoded, &have); err != nil {
		t.Fatal(err)
	}
	if len(recorded) > 0 {
		if err := json.Unmarshal(recorded, &want); err != nil {
			t.Fatal(err)
		}
	}
	var options []farebox.CallOption
	for name, value := range want {
		if name != "model" && name != "stream" && !sameJSON(have[name], value) {
			options = append(options, farebox.WithField(name, value))
		}
	}
	for name := range have {
		if _, wanted := want[name]; !wanted && name != "model" && name != "stream" {
			options = append(options, farebox.WithField(name, nil))
		}
	}
	return request, options
}

// onlyModel is a request of nothing but the model of another.
func onlyModel(recorded json.RawMessage) json.RawMessage {
	var named struct {
		Model json.RawMessage `json:"model,omitempty"`
	}
	_ = json.Unmarshal(recorded, &named)
	only, _ := json.Marshal(named)
	return only
}

func sameJSON(a, b json.RawMessage) bool {
	var one, other any
	return json.Unmarshal(a, &one) == nil && json.Unmarshal(b, &other) == nil && reflect.DeepEqual(one, other)
}

// withoutAdditions takes out of a request what it needs to be sent by the Client at all and the recorded one has not.
func (x *exchange) withoutAdditions(t *testing.T, sent []byte) []byte {
	t.Helper()
	var got, asked map[string]any
	if err := json.Unmarshal(sent, &got); err != nil {
		t.Fatalf("%v in %s", err, sent)
	}
	_ = json.Unmarshal(x.Request.Body, &asked)
	if model, ok := asked["model"]; model == nil && got["model"] == unnamed {
		delete(got, "model")
		if ok {
			got["model"] = nil
		}
	}
	if _, ok := asked["stream"]; !ok || asked["stream"] == false {
		if got["stream"] != x.streams() && got["stream"] != nil {
			t.Errorf("stream is %v", got["stream"])
		}
		delete(got, "stream")
		if ok {
			got["stream"] = false
		}
	}
	without, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	return without
}

func (x *exchange) fitChat(t *testing.T) (openai.ChatCompletionRequest, []farebox.CallOption) {
	return fit(t, x.Request.Body, func(r *openai.ChatCompletionRequest) {
		if r.Model == "" {
			r.Model = unnamed
		}
		if len(r.Messages) == 0 {
			r.Messages = []openai.ChatCompletionMessage{{Role: "user", Content: "?"}}
		}
	})
}

func (x *exchange) fitCompletion(t *testing.T) (openai.CompletionRequest, []farebox.CallOption) {
	return fit(t, x.Request.Body, func(r *openai.CompletionRequest) {
		if r.Model == "" {
			r.Model = unnamed
		}
		if r.Prompt == nil {
			r.Prompt = "?"
		}
	})
}

func (x *exchange) chat(ctx context.Context, t *testing.T, client *farebox.Client) (got answered) {
	request, options := x.fitChat(t)
	resp, err := client.CreateChatCompletion(ctx, request, options...)
	got.outcome, got.err = resp.Outcome, err
	if len(resp.Choices) > 0 {
		got.text = resp.Choices[0].Message.Content
	}
	return got
}

func (x *exchange) complete(ctx context.Context, t *testing.T, client *farebox.Client) (got answered) {
	request, options := x.fitCompletion(t)
	resp, err := client.CreateCompletion(ctx, request, options...)
	got.outcome, got.err = resp.Outcome, err
	if len(resp.Choices) > 0 {
		got.text = resp.Choices[0].Text
	}
	return got
}

func (x *exchange) embed(ctx context.Context, t *testing.T, client *farebox.Client) (got answered) {
	request, options := fit(t, x.Request.Body, func(r *openai.EmbeddingRequest) {
		if r.Input == nil {
			r.Input = "?"
		}
	})
	resp, err := client.CreateEmbeddings(ctx, request, options...)
	got.outcome, got.err, got.vectors = resp.Outcome, err, len(resp.Data)
	if len(resp.Data) > 0 {
		vector, _ := json.Marshal(resp.Data[0].Embedding)
		got.text = string(vector)
	}
	return got
}

func (x *exchange) streamChat(ctx context.Context, t *testing.T, client *farebox.Client) (got answered) {
	request, options := x.fitChat(t)
	stream, err := client.CreateChatCompletionStream(ctx, request, options...)
	if err != nil {
		return refused(err)
	}
	for chunk, err := range stream.Chunks() {
		got.err = err
		for _, choice := range chunk.Choices {
			if choice.Index == 0 {
				got.text += choice.Delta.Content
			}
		}
	}
	got.outcome = farebox.Outcome{Cost: stream.Cost(), Receipt: stream.Receipt(), Receipts: stream.Receipts()}
	return got
}

func (x *exchange) streamCompletion(ctx context.Context, t *testing.T, client *farebox.Client) (got answered) {
	request, options := x.fitCompletion(t)
	stream, err := client.CreateCompletionStream(ctx, request, options...)
	if err != nil {
		return refused(err)
	}
	for {
		chunk, err := stream.Recv()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				got.err = err
			}
			break
		}
		for _, choice := range chunk.Choices {
			if choice.Index == 0 {
				got.text += choice.Text
			}
		}
	}
	got.outcome = farebox.Outcome{Cost: stream.Cost(), Receipt: stream.Receipt(), Receipts: stream.Receipts()}
	return got
}

// refused is what is known of a call that gave no stream.
func refused(err error) answered {
	receipts := farebox.ReceiptsOf(err)
	outcome := farebox.Outcome{Receipts: receipts, Cost: farebox.CostOf(receipts)}
	if len(receipts) > 0 {
		outcome.Receipt = receipts[len(receipts)-1]
	}
	return answered{err: err, outcome: outcome}
}

// checkAnswer compares what the caller got with what the answer says.
func (x *exchange) checkAnswer(t *testing.T, got *answered) {
	t.Helper()
	want := x.read()
	var api *farebox.APIError
	switch isAPI := errors.As(got.err, &api); {
	case want.failed:
		if !isAPI || !errors.Is(got.err, farebox.ErrProvider) || api.Status != x.Response.Status {
			t.Errorf("error %v, want one of the provider's with status %d", got.err, x.Response.Status)
		}
	case want.empty || want.cut:
		if !errors.Is(got.err, farebox.ErrNetwork) || errors.Is(got.err, farebox.ErrProvider) {
			t.Errorf("error %v, want one of the network", got.err)
		}
	case got.err != nil:
		t.Errorf("an error that the recording does not have: %v", got.err)
	}
	if got.err == nil || x.Response.SSE != nil {
		x.checkText(t, got, &want)
	}
	if x.Expect != nil {
		x.Expect.checkError(t, got)
	}
}

func (x *exchange) checkText(t *testing.T, got *answered, want *reference) {
	t.Helper()
	if x.Expect != nil && x.Expect.Text != nil {
		want.text = *x.Expect.Text
	}
	if x.api != embeddingsAPI {
		if got.text != want.text {
			t.Errorf("text %q, want %q", got.text, want.text)
		}
		return
	}
	if got.vectors != want.vectors {
		t.Errorf("%d vectors, want %d", got.vectors, want.vectors)
	}
	var have, stated []float64
	if json.Unmarshal([]byte(want.text), &stated) != nil {
		return // base64, which only the number of vectors is checked of
	}
	_ = json.Unmarshal([]byte(got.text), &have)
	if len(have) != len(stated) {
		t.Fatalf("a vector of %d numbers, want %d", len(have), len(stated))
	}
	for i := range have {
		if math.Abs(have[i]-stated[i]) > 1e-6*math.Abs(stated[i]) {
			t.Errorf("number %d is %v, want %v", i, have[i], stated[i])
		}
	}
}

// checkError checks the error of an exchange that was written by hand.
func (e *expectation) checkError(t *testing.T, got *answered) {
	t.Helper()
	switch want := sentinels[e.Error]; {
	case e.Error == "":
		if got.err != nil {
			t.Errorf("error %v, want none", got.err)
		}
	case want == nil:
		t.Errorf("%q is the name of no error", e.Error)
	case !errors.Is(got.err, want) || !strings.Contains(got.err.Error(), e.ErrorText):
		t.Errorf("error %v, want one that matches %q and says %q", got.err, want, e.ErrorText)
	}
}
