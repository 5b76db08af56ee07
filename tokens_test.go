//go:build !farebox_nocount

package farebox_test

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pkoukk/tiktoken-go"
	openai "github.com/sashabaranov/go-openai"
	"pgregory.net/rapid"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/fareboxtest"
)

func TestCountTokens(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		model, text string
		want        farebox.TokenCount
	}{
		{"gpt-4o", "hello world", farebox.TokenCount{Tokens: 2, Exact: true, Encoding: "o200k_base"}},
		{"openai/gpt-4o-mini", "hello world", farebox.TokenCount{Tokens: 2, Exact: true, Encoding: "o200k_base"}},
		{"gpt-4", "tiktoken is great!", farebox.TokenCount{Tokens: 6, Exact: true, Encoding: "cl100k_base"}},
		{"gpt-4o", "<|endoftext|>", farebox.TokenCount{Tokens: 7, Exact: true, Encoding: "o200k_base"}},
		{"gpt-4o", "", farebox.TokenCount{Tokens: 0, Exact: true, Encoding: "o200k_base"}},
	} {
		if got := farebox.CountTokens(test.model, test.text); got != test.want {
			t.Errorf("CountTokens(%q, %q) = %+v, want %+v", test.model, test.text, got, test.want)
		}
	}
	if got := farebox.CountTokens("claude-sonnet-4-5", "hello world"); got.Exact || got.Tokens < 2 {
		t.Errorf("a vocabulary that is not public was counted as %+v", got)
	}
}

// TestCountTokensUpTo checks that a text fits a limit where its count does, and that it is counted whole then.
func TestCountTokensUpTo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		limit := rapid.Int64Range(-1, 30).Draw(t, "limit")
		model := rapid.SampledFrom([]string{"gpt-4o", "gpt-4", "claude-opus-4-8", "nobody-knows-it"}).Draw(t, "model")
		whole := farebox.CountTokens(model, text)
		got, fits := farebox.CountTokensUpTo(model, text, limit)
		if fits != (whole.Tokens <= limit) || fits && got != whole || !fits && got.Tokens <= limit {
			t.Fatalf("%q up to %d: %+v, %t; whole %+v", text, limit, got, fits, whole)
		}
	})
	if _, fits := farebox.CountTokensUpTo("gpt-4o", "hello world", math.MaxInt64); !fits {
		t.Error("a text does not fit the largest limit")
	}
}

// TestTruncateKeepsToItsBudget checks that a cut text is the beginning of the text, whole characters, and no more
// tokens than asked for.
func TestTruncateKeepsToItsBudget(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		limit := rapid.Int64Range(-1, 20).Draw(t, "limit")
		model := rapid.SampledFrom([]string{"gpt-4o", "gpt-4", "claude-opus-4-8", "gemini-2.5-pro"}).Draw(t, "model")
		cut := farebox.Truncate(model, text, limit)
		if !strings.HasPrefix(text, cut) || (utf8.ValidString(text) && !utf8.ValidString(cut)) {
			t.Fatalf("%q is not the beginning of %q", cut, text)
		}
		if got := farebox.CountTokens(model, cut).Tokens; got > max(limit, 0) {
			t.Fatalf("%q has %d tokens, more than %d", cut, got, limit)
		}
	})
}

func TestTruncateWithoutALimitKeepsTheWhole(t *testing.T) {
	t.Parallel()
	const text = "The quick brown fox."
	for _, model := range []string{"gpt-4o", "claude-opus-4-8", "nobody-knows-it"} {
		if got := farebox.Truncate(model, text, math.MaxInt64); got != text {
			t.Errorf("%s: cut to %q", model, got)
		}
	}
}

func TestTokenCounterCountsPiecesAsTheWhole(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{"word ", " ", "\n", "日本", "é", "ll'", "s", "123"})).Draw(t, "text"), "")
		counter, err := farebox.NewTokenCounter("gpt-4o")
		if err != nil {
			t.Fatal(err)
		}
		for rest := text; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			_, _ = counter.Write([]byte(rest[:n]))
			rest = rest[n:]
		}
		if got, want := counter.Count(), farebox.CountTokens("gpt-4o", text); got != want {
			t.Fatalf("in pieces %+v, whole %+v", got, want)
		}
	})
}

// countedProvider serves a model whose vocabulary is public.
func countedProvider(t *testing.T) *fareboxtest.Provider {
	t.Helper()
	provider := fareboxtest.NewProvider(fareboxtest.WithModels(fareboxtest.Model{Name: "gpt-4o", Rates: farebox.Rates{
		farebox.DimensionInput: farebox.MustPerMillion("2.50"), farebox.DimensionOutput: farebox.MustPerMillion("10"),
	}}))
	t.Cleanup(provider.Close)
	return provider
}

// TestTokensAreCountedWhereBytesWouldRefuse sends a prompt whose bytes, were each a token, would not fit the budget, and
// whose tokens do.
func TestTokensAreCountedWhereBytesWouldRefuse(t *testing.T) {
	t.Parallel()
	provider := countedProvider(t)
	client, err := farebox.New(provider.Endpoint(), farebox.WithModels(provider.Prices()...),
		farebox.WithBudget(farebox.Budget{Name: "small", Cap: farebox.MustMoney("0.006")}))
	if err != nil {
		t.Fatal(err)
	}
	request := openai.ChatCompletionRequest{
		Model: "gpt-4o", MaxTokens: 10,
		Messages: []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: strings.Repeat("The quick brown fox jumps. ", 150)}},
	}
	quote, err := client.Quote(context.Background(), request)
	if err != nil || quote.InputBasis != "exact" || quote.InputTokens < 850 || quote.InputTokens > 950 || quote.MostInputTokens > 1_200 {
		t.Errorf("quote %+v, %v", quote, err)
	}
	resp, err := client.CreateChatCompletion(context.Background(), request)
	if err != nil {
		t.Fatal(err) // 4,050 bytes at $2.50 per million are $0.0101
	}
	if resp.Receipt.Quote.Most != quote.Most {
		t.Errorf("held at %s, quoted %s", resp.Receipt.Quote.Most, quote.Most)
	}
}

// TestCountsFollowWhatProvidersReport calls a model whose provider adds text that nobody knows of, and looks at the quote
// once receipts have shown it.
func TestCountsFollowWhatProvidersReport(t *testing.T) {
	t.Parallel()
	const hidden = 1_000
	provider := fareboxtest.NewProvider()
	t.Cleanup(provider.Close)
	provider.Inject(fareboxtest.Fault{Times: -1, RewriteUsage: func(usage map[string]any) {
		usage["prompt_tokens"] = json.Number(strconv.Itoa(hidden))
		delete(usage, "total_tokens")
	}})
	client, err := farebox.New(provider.Endpoint(), farebox.WithModels(provider.Prices()...),
		farebox.WithBudget(farebox.Budget{Name: "small", Cap: farebox.Cents(1)}))
	if err != nil {
		t.Fatal(err)
	}
	request := openai.ChatCompletionRequest{
		Model: fareboxtest.SmallModel, MaxTokens: 100,
		Messages: []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: "Is it?"}},
	}
	first, err := client.Quote(context.Background(), request)
	if err != nil || first.InputTokens > 100 {
		t.Fatalf("before anything was learned: %+v, %v", first, err)
	}
	for range 5 {
		if _, err := client.CreateChatCompletion(context.Background(), request); err != nil {
			t.Fatal(err)
		}
	}
	learned, err := client.Quote(context.Background(), request)
	if err != nil || learned.InputTokens < hidden*9/10 || learned.MostInputTokens < hidden {
		t.Errorf("after five receipts of %d tokens: %+v, %v", hidden, learned, err)
	}

	kept, err := client.Meter().LearnedTokens()
	if err != nil {
		t.Fatal(err)
	}
	next, err := farebox.New(provider.Endpoint(), farebox.WithModels(provider.Prices()...), farebox.WithLearnedTokens(kept))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := next.Quote(context.Background(), request); err != nil || again.InputTokens != learned.InputTokens {
		t.Errorf("a Meter that was told what was learned quotes %+v, %v", again, err)
	}
	for _, bad := range []string{"", "{", `"no"`} {
		if _, err := farebox.NewMeter(farebox.WithLearnedTokens([]byte(bad))); err == nil || !strings.Contains(err.Error(), "WithLearnedTokens") {
			t.Errorf("WithLearnedTokens(%q): %v", bad, err)
		}
	}
}

// runes is a tokenizer that takes every letter for a token, and keeps what it is given.
type runes struct{ kept *[]string }

func (r runes) EncodeOrdinary(text string) []int {
	*r.kept = append(*r.kept, text)
	return make([]int, utf8.RuneCountInString(text))
}

func TestTokenizerOfOnesOwn(t *testing.T) {
	t.Parallel()
	provider := countedProvider(t)
	var kept []string
	client, err := farebox.New(provider.Endpoint(), farebox.WithModels(provider.Prices()...),
		farebox.WithTokenizer("gpt-4o", runes{&kept}))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("letter", 50)
	request := openai.ChatCompletionRequest{
		Model: "gpt-4o", MaxTokens: 10,
		Messages: []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: text}},
	}
	quote, err := client.Quote(context.Background(), request)
	if err != nil || quote.InputTokens < 300 || quote.InputTokens > 320 {
		t.Errorf("300 letters are quoted as %+v, %v", quote, err)
	}
	if !slices.Contains(kept, text) {
		t.Errorf("the tokenizer was handed %q, and keeps other texts", kept)
	}
	if _, err := farebox.NewMeter(farebox.WithTokenizer("gpt-4o", nil)); err == nil || !strings.Contains(err.Error(), "WithTokenizer") {
		t.Errorf("a nil tokenizer: %v", err)
	}
	var _ farebox.Tokenizer = (*tiktoken.Tiktoken)(nil)
}

// TestEveryFormatIsCounted sends requests in other wire formats under a budget that has more room than they need.
func TestEveryFormatIsCounted(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("The quick brown fox jumps. ", 150)
	for _, test := range []struct {
		style                  fareboxtest.Style
		model, path, body, cap string
	}{
		// 4,050 bytes would be $0.0101; of gpt-4o's vocabulary it is known that they are 900 tokens. Others' are not bounded
		// by that, but their likely cost follows it: by a token in four bytes it would be $0.00263.
		{fareboxtest.OpenAI, "gpt-4o", "/responses", `{"model":"gpt-4o","max_output_tokens":10,"input":"` + text + `"}`, "0.006"},
		{fareboxtest.Anthropic, "claude-sonnet-4-5", "/v1/messages", `{"model":"claude-sonnet-4-5","max_tokens":10,"messages":[{"role":"user","content":"` + text + `"}]}`, "0.02"},
		{fareboxtest.Gemini, "gemini-2.5-flash", "/v1beta/models/gemini-2.5-flash:generateContent", `{"generationConfig":{"maxOutputTokens":10},"contents":[{"parts":[{"text":"` + text + `"}]}]}`, "0.02"},
	} {
		provider := fareboxtest.NewProvider(fareboxtest.WithStyle(test.style), fareboxtest.WithModels(fareboxtest.Model{Name: test.model, Rates: farebox.Rates{
			farebox.DimensionInput: farebox.MustPerMillion("2.50"), farebox.DimensionOutput: farebox.MustPerMillion("10"),
		}}))
		t.Cleanup(provider.Close)
		meter, err := farebox.NewMeter(farebox.WithModels(provider.Prices()...), farebox.WithEndpoint(provider.Endpoint()),
			farebox.WithBudget(farebox.Budget{Name: "small", Cap: farebox.MustMoney(test.cap)}))
		if err != nil {
			t.Fatal(err)
		}
		ctx, receipts := farebox.ContextWithReceipts(t.Context())
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, provider.URL()+test.path, strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := meter.HTTPClient().Do(request)
		if err != nil {
			t.Errorf("%s: %v", test.model, err)
			continue
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d, %v", test.model, response.StatusCode, err)
		}
		_ = response.Body.Close()
		all := receipts.All()
		if len(all) != 1 || all[0].Quote.Expected.Less(farebox.MustMoney("0.0022")) || farebox.MustMoney("0.0026").Less(all[0].Quote.Expected) {
			t.Errorf("%s: receipts %+v", test.model, all)
		}
	}
}
