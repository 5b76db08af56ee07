package farebox_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	openai "github.com/sashabaranov/go-openai"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/fareboxtest"
)

// An answer that came as a stream is the one that would have come whole, and costs the same.
func TestStreamedAnswersAreThePlainOnes(t *testing.T) {
	t.Parallel()
	replies := map[string]fareboxtest.Reply{
		"text":       {Text: "A farebox takes the fare, “exactly”, and gives no change: 乗車料金箱です。"},
		"nothing":    {},
		"reasoning":  {Text: "Four.", Reasoning: "Two and two make four, as they always have."},
		"tool calls": {ToolCalls: []fareboxtest.ToolCall{{Name: "weather", Arguments: `{"city":"Zürich","days":[1,2,3]}`}, {Name: "now", Arguments: `{}`}}},
		"both":       {Text: "Let me look.", ToolCalls: []fareboxtest.ToolCall{{ID: "call_1", Name: "look", Arguments: `{"where":"here"}`}}},
	}
	for name, reply := range replies {
		for _, style := range []fareboxtest.Style{fareboxtest.OpenAI, fareboxtest.OpenRouter} {
			for _, n := range []int{1, 3} {
				var got [2]farebox.ChatCompletionResponse
				for i, streamed := range []bool{false, true} {
					got[i] = answerOf(t, style, reply, n, streamed)
				}
				plain, assembled := got[0], got[1]
				if plain.Receipt.Stream || !assembled.Receipt.Stream {
					t.Errorf("%s, %v: streams: %v, %v", name, style, plain.Receipt.Stream, assembled.Receipt.Stream)
				}
				if plain.Cost != assembled.Cost || plain.Cost.IsZero() || len(assembled.Receipts) != 1 || assembled.Receipt.Partial {
					t.Errorf("%s, %v: %s plain, %s assembled; %+v", name, style, plain.Cost, assembled.Cost, assembled.Receipts)
				}
				a, errA := plain.OpenRouter()
				b, errB := assembled.OpenRouter()
				if errA != nil || errB != nil || a.Usage.Cost != b.Usage.Cost || a.Provider != b.Provider || len(b.Choices) != n ||
					a.Choices[n-1].Message.Reasoning != b.Choices[n-1].Message.Reasoning || a.Choices[0].NativeFinishReason != b.Choices[0].NativeFinishReason {
					t.Errorf("%s, %v: OpenRouter's fields:\n%+v, %v\n%+v, %v", name, style, a, errA, b, errB)
				}
				x, y := withoutIDs(plain), withoutIDs(assembled)
				if !reflect.DeepEqual(x, y) || len(y.Choices) != n {
					t.Errorf("%s, %v, n=%d:\nplain     %+v\nassembled %+v", name, style, n, x, y)
				}
			}
		}
	}
}

// withoutIDs leaves out what no two calls have in common.
func withoutIDs(r farebox.ChatCompletionResponse) openai.ChatCompletionResponse {
	plain := r.ChatCompletionResponse
	plain.ID, _, _ = strings.Cut(plain.ID, "-") // OpenRouter's has the second in it
	plain.Created = min(plain.Created, 1)
	plain.SetHeader(nil)
	return plain
}

func answerOf(t *testing.T, style fareboxtest.Style, reply fareboxtest.Reply, n int, streamed bool) farebox.ChatCompletionResponse {
	t.Helper()
	provider := fareboxtest.NewProvider(fareboxtest.WithStyle(style), fareboxtest.WithReply(func(fareboxtest.Prompt) fareboxtest.Reply { return reply }))
	defer provider.Close()
	client, err := farebox.New(provider.Endpoint(), farebox.WithModels(provider.Prices()...), farebox.WithStreamedAnswers(streamed))
	must(t, err)
	defer closeMeter(t, client.Meter())
	request := chatRequest()
	request.Model, request.N = fareboxtest.SmallModel, n
	answer, err := client.CreateChatCompletion(t.Context(), request)
	must(t, err)
	return answer
}

// Pieces that servers send in odd ways come together all the same.
func TestStreamedAnswersOfOddServers(t *testing.T) {
	t.Parallel()
	chunk := func(choices string) string {
		return `data: {"id":"c","model":"test-model","created":7,"system_fingerprint":"fp","choices":[` + choices + `]}` + "\n\n"
	}
	server := serve(t, streams(
		`data: {"id":"","model":"","choices":[],"prompt_filter_results":[{"index":0}]}`+"\n\n",
		chunk(`{"index":1,"delta":{"role":"assistant","content":"second"},"logprobs":{"content":[{"token":"second","logprob":-0.5,"bytes":[115,101],"top_logprobs":[]}]}}`),
		chunk(`{"index":0,"delta":{"reasoning_content":"hm ","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":"}}]}}`),
		chunk(`{"index":0,"delta":{"reasoning_content":"so","tool_calls":[{"id":"a","function":{"name":"f","arguments":"1}"}}]}}`),
		chunk(`{"index":0,"delta":{"tool_calls":[{"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]}}`),
		chunk(`{"index":1,"delta":{"refusal":"no"},"finish_reason":"stop"},{"index":0,"delta":{},"finish_reason":"tool_calls"}`),
		usageChunk, doneChunk))
	answer, err := newClient(t, openAIAt(server), farebox.WithStreamedAnswers(true)).CreateChatCompletion(t.Context(), chatRequest())
	must(t, err)
	first, second := answer.Choices[0], answer.Choices[1]
	calls := first.Message.ToolCalls
	if len(calls) != 2 || calls[0].ID != "a" || calls[0].Function != (openai.FunctionCall{Name: "f", Arguments: `{"x":1}`}) ||
		calls[1].ID != "b" || calls[1].Function.Arguments != "{}" || first.Message.ReasoningContent != "hm so" || first.FinishReason != "tool_calls" {
		t.Errorf("first: %+v", first)
	}
	if second.Index != 1 || second.Message.Content != "second" || second.Message.Refusal != "no" || second.LogProbs == nil ||
		second.LogProbs.Content[0].LogProb != -0.5 || string(second.LogProbs.Content[0].Bytes) != "se" {
		t.Errorf("second: %+v", second)
	}
	if answer.ID != "c" || answer.Created != 7 || answer.SystemFingerprint != "fp" || len(answer.PromptFilterResults) != 1 ||
		answer.Usage.TotalTokens != 110 || answer.Cost != chatCost || !json.Valid(answer.Raw) {
		t.Errorf("%+v", answer)
	}
}

// A whole answer is held like the stream that it comes as, and cut like it: what came stands beside the error.
func TestStreamedAnswerIsCut(t *testing.T) {
	t.Parallel()
	provider := &talker{tokens: 4000}
	client, err := farebox.New(farebox.Compatible("acme", "https://acme.test/v1", coinKey).WithCancellableStreams(),
		farebox.WithBaseTransport(provider), farebox.WithPrice("coin", coinRates("0.01")), farebox.WithStreamedAnswers(true),
		farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(10), Hold: farebox.Progressive}))
	must(t, err)
	request := chatRequest()
	request.Model, request.MaxTokens = "coin", 4000
	if _, err := client.CreateChatCompletion(t.Context(), request, farebox.WithStreamedAnswers(false)); !errors.Is(err, farebox.ErrBudgetExceeded) {
		t.Fatalf("held at its worst: %v, want it refused", err)
	}
	answer, err := client.CreateChatCompletion(t.Context(), request)
	provider.wg.Wait()
	var cut *farebox.BudgetCutError
	if !errors.As(err, &cut) || !errors.Is(err, farebox.ErrBudgetCut) || errors.Is(err, farebox.ErrBudgetExceeded) || errors.Is(err, farebox.ErrNetwork) ||
		cut.Budget != "b" || len(farebox.ReceiptsOf(err)) != 1 {
		t.Fatalf("cut: %v", err)
	}
	words := int64(strings.Count(answer.Choices[0].Message.Content, "word"))
	if words < 400 || words > 500 || answer.ID != "gen-1" || answer.Choices[0].FinishReason != "" {
		t.Errorf("%d words; %+v", words, answer.ChatCompletionResponse)
	}
	r := answer.Receipt
	if !r.Partial || r.ErrorType != "budget_cut" || r.Cost != farebox.Cents(words) || answer.Cost != r.Cost || len(answer.Receipts) != 1 {
		t.Errorf("%d words: %+v", words, r)
	}
	if s := client.Meter().Guard().Snapshot()[0]; s.Cap.Less(s.Spent) || !s.Held.IsZero() || s.Overruns != 0 {
		t.Errorf("%+v", s)
	}
}

// A first chunk that alone is more than a budget has room for leaves a choice without text, or with what fitted.
func TestStreamedAnswerIsCutInItsFirstChunk(t *testing.T) {
	t.Parallel()
	server := serve(t, streams(`data: {"id":"x","model":"coin","choices":[{"index":0,"delta":{"content":"`+strings.Repeat("word ", 20_000)+`"}}]}`+"\n\n", doneChunk))
	client := newClient(t, farebox.Compatible("acme", server.URL+"/v1", coinKey).WithCancellableStreams(), farebox.WithPrice("coin", coinRates("0.01")),
		farebox.WithStreamedAnswers(true), farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Cents(530), Hold: farebox.Progressive}))
	request := chatRequest()
	request.Model, request.MaxTokens = "coin", 4000
	answer, err := client.CreateChatCompletion(t.Context(), request)
	if !errors.Is(err, farebox.ErrBudgetCut) || len(answer.Choices) != 1 || answer.Choices[0].Message.Role != "assistant" {
		t.Errorf("%v: %+v", err, answer.Choices)
	}
}

// What fails in mid-stream has reached nobody: it is the error of a call, and tried again like it.
func TestStreamedAnswerFailsInMidStream(t *testing.T) {
	t.Parallel()
	broken := helloChunk + `data: {"error":{"message":"The server had an error","type":"server_error","code":503}}` + "\n\n"
	server := serve(t, inTurn(streams(broken), streams(helloChunk+`data: {"id":`), streams(wholeStream)))
	client := newClient(t, openAIAt(server), farebox.WithStreamedAnswers(true))
	answer, err := client.CreateChatCompletion(t.Context(), chatRequest())
	must(t, err)
	if len(answer.Receipts) != 3 || answer.Choices[0].Message.Content != "Hello there" || answer.Receipt.Attempt != 3 {
		t.Errorf("%+v", answer)
	}

	server = serve(t, streams(helloChunk+`data: {"error":{"message":"Slow down","type":"rate_limit_exceeded","code":429}}`+"\n\n"))
	client = newClient(t, openAIAt(server), farebox.WithStreamedAnswers(true), farebox.WithRetry(farebox.Retry{MaxAttempts: 1}))
	answer, err = client.CreateChatCompletion(t.Context(), chatRequest())
	var api *farebox.APIError
	if !errors.As(err, &api) || api.MidStream || !errors.Is(err, farebox.ErrRateLimit) || len(answer.Choices) != 0 || answer.Raw != nil || len(answer.Receipts) != 1 {
		t.Errorf("%v: %+v", err, answer)
	}
	for name, body := range map[string]string{"no JSON": "data: {]\n\n" + doneChunk, "nothing": doneChunk, "cut off": helloChunk} {
		server = serve(t, streams(body))
		client = newClient(t, openAIAt(server), farebox.WithStreamedAnswers(true), farebox.WithRetry(farebox.Retry{MaxAttempts: 1}))
		if answer, err = client.CreateChatCompletion(t.Context(), chatRequest()); err == nil || len(answer.Choices) != 0 {
			t.Errorf("%s: %v, %+v", name, err, answer)
		}
	}
}

func TestStreamedAnswerIsBounded(t *testing.T) {
	t.Parallel()
	server := serve(t, streams(wholeStream))
	client := newClient(t, openAIAt(server), farebox.WithStreamedAnswers(true), farebox.WithMaxResponseBytes(200), farebox.WithRetry(farebox.Retry{MaxAttempts: 1}))
	if _, err := client.CreateChatCompletion(t.Context(), chatRequest()); !errors.Is(err, farebox.ErrTooLarge) {
		t.Errorf("%v, want ErrTooLarge", err)
	}
}

func TestStreamedAnswerCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body) // or the server does not see the caller leave
		streams(helloChunk)(w, r)
		cancel()
		<-r.Context().Done()
	})
	client := newClient(t, openAIAt(server), farebox.WithStreamedAnswers(true))
	answer, err := client.CreateChatCompletion(ctx, chatRequest())
	if !errors.Is(err, context.Canceled) || !errors.Is(err, farebox.ErrNetwork) || len(answer.Choices) != 0 || len(answer.Receipts) != 1 || answer.Receipt.Source == farebox.Unbilled || answer.Cost.IsZero() {
		t.Errorf("%v: %+v", err, answer)
	}
}

// What cannot be streamed goes out, or is taken, as it is.
func TestStreamedAnswersFallBackToPlain(t *testing.T) {
	t.Parallel()
	asksStream := func(r seen) bool { return strings.Contains(r.body, `"stream":true`) }
	refused := answers(400, `{"error":{"message":"This model does not stream.","type":"invalid_request_error","param":"stream","code":"unsupported_value"}}`)
	for name, test := range map[string]struct {
		handler  http.HandlerFunc
		options  []farebox.CallOption
		streamed []bool // of each request
	}{
		"sound":                       {answers(200, chatAnswer), []farebox.CallOption{farebox.WithField("modalities", []string{"text", "audio"})}, []bool{false}},
		"not this call":               {answers(200, chatAnswer), []farebox.CallOption{farebox.WithStreamedAnswers(false)}, []bool{false}},
		"text is no other modality":   {streams(wholeStream), []farebox.CallOption{farebox.WithField("modalities", []string{"text"})}, []bool{true}},
		"a server that does not":      {answers(200, chatAnswer), nil, []bool{true}},
		"a model that does not":       {inTurn(refused, answers(200, chatAnswer)), nil, []bool{true, false}},
		"and is tried again as plain": {inTurn(refused, answers(500, `{}`), answers(200, chatAnswer)), nil, []bool{true, false, false}},
	} {
		server := serve(t, test.handler)
		client := newClient(t, openAIAt(server), farebox.WithStreamedAnswers(true))
		answer, err := client.CreateChatCompletion(t.Context(), chatRequest(), test.options...)
		if err != nil || answer.Choices[0].Message.Content != "Hello there" || answer.Usage.TotalTokens != 110 || answer.Cost != chatCost && len(test.streamed) < 3 {
			t.Errorf("%s: %v, %+v", name, err, answer)
		}
		requests := server.requests()
		if len(requests) != len(test.streamed) || len(answer.Receipts) != len(requests) {
			t.Fatalf("%s: %d requests, %d receipts", name, len(requests), len(answer.Receipts))
		}
		for i, r := range requests {
			if asksStream(r) != test.streamed[i] || strings.Contains(r.body, "stream_options") != test.streamed[i] ||
				slices.Contains(answer.Receipts[i].Edits, "stream") != test.streamed[i] ||
				(r.header.Get("Accept") == "text/event-stream") != test.streamed[i] {
				t.Errorf("%s: request %d: %s", name, i, r.body)
			}
		}
	}
}

// Calls of one Client do not mix.
func TestStreamedAnswersSideBySide(t *testing.T) {
	t.Parallel()
	provider := fareboxtest.NewProvider()
	defer provider.Close()
	client, err := farebox.New(provider.Endpoint(), farebox.WithModels(provider.Prices()...))
	must(t, err)
	defer closeMeter(t, client.Meter())
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			request := chatRequest()
			request.Model = fareboxtest.SmallModel
			request.Messages[0].Content = strings.Repeat("word ", i+1)
			answer, err := client.CreateChatCompletion(t.Context(), request, farebox.WithStreamedAnswers(i%2 == 0))
			if err != nil || answer.Receipt.Stream != (i%2 == 0) || answer.Choices[0].Message.Content == "" {
				t.Errorf("%v: %+v", err, answer)
			}
		})
	}
	wg.Wait()
	if booked := client.Meter().Ledger().Total().Cost; booked != provider.Billed() {
		t.Errorf("booked %s, billed %s", booked, provider.Billed())
	}
}
