package farebox_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/fareboxtest"
)

// streamUntilLeft streams chunks until its reader has gone, and says that it has.
func streamUntilLeft(gone chan<- struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, helloChunk)
			w.(http.Flusher).Flush()
			time.Sleep(time.Millisecond)
		}
		gone <- struct{}{}
	}
}

// leave opens a stream, reads a chunk of it and leaves it in some way. It returns the Meter's only receipt.
func leave(t *testing.T, how func(stream *farebox.ChatCompletionStream, cancel context.CancelFunc)) farebox.Receipt {
	t.Helper()
	gone := make(chan struct{}, 1)
	p := serve(t, streamUntilLeft(gone))
	client := newClient(t, openAIAt(p), dollar)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stream, err := client.CreateChatCompletionStream(ctx, chatRequest())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	how(stream, cancel)
	<-gone // the provider is told, so that it can stop
	waitFor(t, "the stream is settled", func() bool { return len(ledger(client.Meter())) == 1 })
	receipt := onlyReceipt(t, client.Meter())
	if spent := bookedIn(t, client.Meter()); spent.IsZero() || spent != receipt.Budgets[0].Charged || !receipt.Partial {
		t.Errorf("%s booked for %s, partial: %v", spent, receipt, receipt.Partial)
	}
	return receipt
}

func TestLiteLLM33736_AStreamThatIsLeftIsCharged(t *testing.T) {
	t.Parallel()
	receipt := leave(t, func(stream *farebox.ChatCompletionStream, _ context.CancelFunc) { _ = stream.Close() })
	if receipt.Source != farebox.Held || receipt.Budgets[0].Charged != receipt.Budgets[0].Held {
		t.Errorf("%s, charged %s of %s", receipt, receipt.Budgets[0].Charged, receipt.Budgets[0].Held)
	}
}

func TestLiteLLM30630_ACancelledStreamIsCharged(t *testing.T) {
	t.Parallel()
	receipt := leave(t, func(_ *farebox.ChatCompletionStream, cancel context.CancelFunc) { cancel() })
	if receipt.Source != farebox.Held {
		t.Errorf("%s", receipt)
	}
}

func TestLiteLLM35958_AnInterruptedStreamHasAReceipt(t *testing.T) {
	t.Parallel()
	p := serve(t, func(w http.ResponseWriter, r *http.Request) {
		streams(helloChunk, thereChunk)(w, r)
		panic(http.ErrAbortHandler)
	})
	client := newClient(t, openAIAt(p), dollar)
	stream, err := client.CreateChatCompletionStream(context.Background(), chatRequest())
	if err != nil {
		t.Fatal(err)
	}
	got, err := text(stream)
	if got != "Hello there" || !errors.Is(err, farebox.ErrNetwork) {
		t.Errorf("%q, %v", got, err)
	}
	if receipt := onlyReceipt(t, client.Meter()); receipt.Source != farebox.Held || bookedIn(t, client.Meter()) != receipt.Budgets[0].Held {
		t.Errorf("%s", receipt)
	}
}

func TestLiteLLM17364_TheProviderIsToldThatTheReaderHasGone(t *testing.T) {
	t.Parallel()
	leave(t, func(stream *farebox.ChatCompletionStream, _ context.CancelFunc) {
		for range stream.Chunks() {
			break
		}
	})
}

// A stream that is closed with its usage on the way is charged for what it says, not for what was read of it.
func TestLiteLLM36008_UsageThatIsNearIsWaitedFor(t *testing.T) {
	t.Parallel()
	p := serve(t, streams(wholeStream))
	client := newClient(t, openAIAt(p), dollar)
	stream, err := client.CreateChatCompletionStream(context.Background(), chatRequest())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	_ = stream.Close()
	if receipt := onlyReceipt(t, client.Meter()); receipt.Cost != chatCost || receipt.Source != farebox.Computed || bookedIn(t, client.Meter()) != chatCost {
		t.Errorf("%s", receipt)
	}
}

// The whole answer of a call that is not streamed is billed, also where its caller did not wait for it.
func TestLiteLLM13245_LeavingAnAnswerThatIsNotStreamed(t *testing.T) {
	t.Parallel()
	p := fareboxtest.NewProvider()
	defer p.Close()
	release := p.Hold()
	defer release()
	client := newClient(t, p.Endpoint(), farebox.WithModels(p.Prices()...), dollar)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_ = p.WaitForRequests(context.Background(), 1)
		cancel()
	}()
	request := chatRequest()
	request.Model = fareboxtest.LargeModel
	if _, err := client.CreateChatCompletion(ctx, request); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	release()
	p.Close() // now it has billed what it made
	receipt := onlyReceipt(t, client.Meter())
	if billed := p.Billed(); receipt.Source != farebox.Held || bookedIn(t, client.Meter()).Less(billed) || billed.IsZero() {
		t.Errorf("%s booked, %s billed", bookedIn(t, client.Meter()), p.Billed())
	}
}

// Streams of megabytes are left all at once: settling them takes no counting of what they said.
func TestLiteLLM36429_LeavingLongStreams(t *testing.T) {
	t.Parallel()
	chunk := strings.Replace(helloChunk, "Hello", strings.Repeat("word ", 2000), 1)
	p := serve(t, streams(strings.Repeat(chunk, 100)))
	client := newClient(t, openAIAt(p), dollar)
	for range 30 {
		stream, err := client.CreateChatCompletionStream(context.Background(), chatRequest())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = stream.Recv()
		_ = stream.Close()
	}
	if n := len(ledger(client.Meter())); n != 30 {
		t.Errorf("%d receipts", n)
	}
}

// What OpenRouter states at the end of a stream is the cost, whichever client reads it.
func TestLiteLLM16021_CostOfOpenRouterInAStream(t *testing.T) {
	t.Parallel()
	p := serve(t, streams(strings.Replace(wholeStream, `"total_tokens":110`, `"total_tokens":110,"cost":0.0042,"is_byok":false`, 1)))
	client := newClient(t, openRouterAt(p), dollar)
	stream, err := client.CreateChatCompletionStream(context.Background(), chatRequest())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := text(stream); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if want := farebox.MustMoney("0.0042"); stream.Cost() != want || stream.Receipt().Source != farebox.Reported || bookedIn(t, client.Meter()) != want {
		t.Errorf("%s, want %s", stream.Receipt(), want)
	}
}

// So it is where the same is read by go-openai, whose types have no field for it.
func TestGoOpenRouter16_CostThroughGoOpenAI(t *testing.T) {
	t.Parallel()
	p := serve(t, streams(strings.Replace(wholeStream, `"total_tokens":110`, `"total_tokens":110,"cost":0.0042`, 1)))
	meter := newMeter(t, farebox.WithEndpoint(openRouterAt(p)), dollar)
	config := openai.DefaultConfig(testKey)
	config.BaseURL, config.HTTPClient = p.URL+"/api/v1", meter.HTTPClient()
	ctx, receipts := farebox.ContextWithReceipts(context.Background())
	stream, err := openai.NewClientWithConfig(config).CreateChatCompletionStream(ctx, chatRequest())
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = stream.Recv()
	}
	_ = stream.Close()
	if got := farebox.CostOf(receipts.All()); got != farebox.MustMoney("0.0042") {
		t.Errorf("%s, %v", got, receipts.All())
	}
}

func TestLiteLLM13264_TheCallerOfAStreamHasItsCost(t *testing.T) {
	t.Parallel()
	p := serve(t, streams(wholeStream))
	stream, err := newClient(t, openAIAt(p)).CreateChatCompletionStream(context.Background(), chatRequest())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := text(stream); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if stream.Cost() != chatCost {
		t.Errorf("%s", stream.Cost())
	}
}

// Streams say what they used only where they are asked: farebox asks, and the caller never sees it.
func TestFerro281_StreamsHaveUsage(t *testing.T) {
	t.Parallel()
	p := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), `"include_usage":true`) {
			streams(wholeStream)(w, r)
			return
		}
		streams(bareStream)(w, r)
	})
	meter := newMeter(t, dollar)
	if got := readAll(t, mustPost(t, meter.HTTPClient(), p.URL, streamJSON)); got != bareStream {
		t.Errorf("the caller sees %q", got)
	}
	if receipt := onlyReceipt(t, meter); receipt.Cost != chatCost || receipt.Usage.Input != 100 {
		t.Errorf("%s", receipt)
	}
}

// Where no usage comes although it was asked for, the answer is not free: the budget stays charged at the hold.
func TestHigress_NoUsageIsNotZero(t *testing.T) {
	t.Parallel()
	p := serve(t, streams(bareStream))
	meter := newMeter(t, dollar)
	readAll(t, mustPost(t, meter.HTTPClient(), p.URL, streamJSON))
	receipt := onlyReceipt(t, meter)
	if receipt.Source != farebox.Estimated || receipt.Cost.IsZero() || bookedIn(t, meter) != receipt.Budgets[0].Held || bookedIn(t, meter).IsZero() {
		t.Errorf("%s, %s booked", receipt, bookedIn(t, meter))
	}
}

// Streams are under the budget like any other call, all of them.
func TestLiterLLM_StreamsAreCharged(t *testing.T) {
	t.Parallel()
	p := serve(t, streams(wholeStream))
	meter := newMeter(t, farebox.WithBudget(capOf("cap", farebox.MustMoney("0.001"))))
	sent := 0
	for range 30 {
		if no := payFor(context.Background(), t, meter, p, streamJSON); no == nil {
			sent++
		}
	}
	if spent := bookedIn(t, meter); spent != chatCost.Mul(int64(sent)) || sent < 4 || sent == 30 {
		t.Errorf("%d sent, %s spent", sent, spent)
	}
}

// A chunk without choices carries the cost, and is not dropped.
func TestLangChain39330_CostOnAChunkWithoutChoices(t *testing.T) {
	t.Parallel()
	costChunk := `data: {"id":"gen-1","object":"chat.completion.chunk","model":"test-model","choices":[],"usage":{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110,"cost":0.5}}` + "\n\n"
	p := serve(t, streams(helloChunk, stopChunk, costChunk, doneChunk))
	stream, err := newClient(t, openRouterAt(p)).CreateChatCompletionStream(context.Background(), chatRequest())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := text(stream); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if stream.Cost() != farebox.Cents(50) {
		t.Errorf("%s", stream.Receipt())
	}
}

// A stream that runs away is cut where the money ends: what came before stands, and the provider is told to stop.
func TestRiskKernel124_StreamsAreCutAtTheBudget(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{}, 1)
	p := serve(t, streamUntilLeft(gone))
	limit := farebox.MustMoney("0.003")
	client := newClient(t, openAIAt(p), farebox.WithBudget(farebox.Budget{Name: "cap", Cap: limit, Hold: farebox.Progressive}))
	request := chatRequest()
	request.MaxTokens = 100_000 // which may cost $0.20
	stream, err := client.CreateChatCompletionStream(context.Background(), request)
	if err != nil {
		t.Fatal(err)
	}
	got, err := text(stream)
	<-gone
	if !errors.Is(err, farebox.ErrBudgetCut) || errors.Is(err, farebox.ErrBudgetExceeded) || len(got) < 1000 {
		t.Errorf("%d bytes, then %v", len(got), err)
	}
	if spent := bookedIn(t, client.Meter()); spent.IsZero() || limit.Less(spent) || !onlyReceipt(t, client.Meter()).Partial {
		t.Errorf("%s spent of %s", spent, limit)
	}
}

// A stream counts usage once, though several chunks carry it: the last is the total, not one more part.
func TestBifrost3451_RunningTotalsAreNotAdded(t *testing.T) {
	t.Parallel()
	running := func(in, written, out string) string {
		return `data: {"id":"m","object":"chat.completion.chunk","model":"test-model","choices":[],"usage":{"prompt_tokens":` + in +
			`,"completion_tokens":` + out + `,"total_tokens":0,"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":` + written + `}}}` + "\n\n"
	}
	p := serve(t, streams(running("1000", "900", "1"), helloChunk, running("1000", "900", "2"), stopChunk, running("1000", "900", "10"), doneChunk))
	meter := newMeter(t, farebox.WithPrice(testModel, farebox.Rates{
		farebox.DimensionInput: farebox.MustPerMillion("3"), farebox.DimensionCacheWrite: farebox.MustPerMillion("3.75"),
		farebox.DimensionOutput: farebox.MustPerMillion("15"),
	}))
	readAll(t, mustPost(t, meter.HTTPClient(), p.URL, streamJSON))
	receipt := onlyReceipt(t, meter)
	if receipt.Usage.Input != 100 || receipt.Usage.CacheWrite != 900 || receipt.Usage.Output != 10 || receipt.Cost != farebox.MustMoney("0.003825") {
		t.Errorf("%s: %+v", receipt, receipt.Usage)
	}
}

// A streamed call costs what the same call costs that is not streamed.
func TestLiteLLM37923_StreamsCostTheSame(t *testing.T) {
	t.Parallel()
	p := serve(t, inTurn(answers(200, chatAnswer), streams(wholeStream)))
	meter := newMeter(t)
	readAll(t, mustPost(t, meter.HTTPClient(), p.URL, chatJSON))
	readAll(t, mustPost(t, meter.HTTPClient(), p.URL, streamJSON))
	all := ledger(meter)
	if len(all) != 2 || all[0].Cost != all[1].Cost || all[0].Cost != chatCost {
		t.Errorf("%v", all)
	}
}

// The provider's figures for what was cut off come in later, and put the books right.
func TestFloeGuard132_InterruptedStreamsAreReconciled(t *testing.T) {
	t.Parallel()
	p := fareboxtest.NewProvider(fareboxtest.WithStyle(fareboxtest.OpenRouter))
	defer p.Close()
	p.Inject(fareboxtest.Fault{Cut: fareboxtest.AfterChunks(2)})
	client := newClient(t, p.Endpoint(), noRetry, farebox.WithModels(p.Prices()...), dollar)
	request := chatRequest()
	request.Model = fareboxtest.LargeModel
	stream, err := client.CreateChatCompletionStream(context.Background(), request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := text(stream); errors.Is(err, io.EOF) {
		t.Fatal("the stream was not cut")
	}
	receipt := onlyReceipt(t, client.Meter())
	if bookedIn(t, client.Meter()).Less(p.Billed()) || receipt.GenerationID == "" {
		t.Errorf("%s booked, %s billed, generation %q", bookedIn(t, client.Meter()), p.Billed(), receipt.GenerationID)
	}
	if receipt.Settled() {
		t.Fatalf("%s", receipt)
	}
	if _, err := client.Meter().Reconcile(receipt.ID, p.Billed(), "generation"); err != nil && !errors.Is(err, farebox.ErrUnknownReceipt) {
		t.Fatal(err)
	}
	if spent := bookedIn(t, client.Meter()); spent != p.Billed() || client.Meter().Ledger().Total().Cost != p.Billed() {
		t.Errorf("%s booked, %s billed", spent, p.Billed())
	}
}
