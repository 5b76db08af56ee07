package farebox_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/fareboxtest"
)

// questions counts the requests to count endpoints that pass it, and can do something to them.
type questions struct {
	asked atomic.Int64
	with  func(*http.Request) (*http.Response, error) // nil: they pass
}

func (q *questions) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "count_tokens") || strings.HasSuffix(r.URL.Path, "input_tokens") || strings.HasSuffix(r.URL.Path, ":countTokens") {
		q.asked.Add(1)
		if q.with != nil {
			return q.with(r)
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}

// askedProvider serves one model, whose name says whose it is.
func askedProvider(t *testing.T, style fareboxtest.Style, model string) *fareboxtest.Provider {
	t.Helper()
	provider := fareboxtest.NewProvider(fareboxtest.WithStyle(style), fareboxtest.WithKey("secret"),
		fareboxtest.WithModels(fareboxtest.Model{Name: model, Rates: farebox.Rates{
			farebox.DimensionInput: farebox.MustPerMillion("10"), farebox.DimensionOutput: farebox.MustPerMillion("10"),
		}}))
	t.Cleanup(provider.Close)
	return provider
}

const prose = "The quick brown fox jumps. "

// postSigned sends a request through a Meter and gives the status of the answer.
func postSigned(ctx context.Context, meter *farebox.Meter, url, body string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	for _, name := range []string{"X-Api-Key", "X-Goog-Api-Key"} {
		request.Header.Set(name, "secret")
	}
	request.Header.Set("Authorization", "Bearer secret")
	response, err := meter.HTTPClient().Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

// TestProvidersAreAskedBeforeARefusal sends requests whose bytes cost more than a budget has, and whose tokens, as the
// provider counts them, do not. Under a larger budget nobody is asked.
func TestProvidersAreAskedBeforeARefusal(t *testing.T) {
	t.Parallel()
	text := strings.Repeat(prose, 150) // 4,050 bytes: 1,013 tokens as the provider counts them
	for _, test := range []struct {
		style             fareboxtest.Style
		model, path, body string
	}{
		{fareboxtest.Anthropic, "claude-sonnet-4-5", "/v1/messages", `{"model":"claude-sonnet-4-5","max_tokens":10,"system":"","temperature":1,"messages":[{"role":"user","content":"` + text + `"}]}`},
		{fareboxtest.Gemini, "gemini-2.5-flash", "/v1beta/models/gemini-2.5-flash:generateContent", `{"generationConfig":{"maxOutputTokens":10},"contents":[{"parts":[{"text":"` + text + `"}]}]}`},
		{fareboxtest.OpenAI, "gpt-9-of-tomorrow", "/responses", `{"model":"gpt-9-of-tomorrow","max_output_tokens":10,"store":false,"input":"` + text + `"}`},
	} {
		provider := askedProvider(t, test.style, test.model)
		var asked questions
		send := func(cap string, options ...farebox.MeterOption) (int64, error) {
			meter, err := farebox.NewMeter(append(options, farebox.WithModels(provider.Prices()...), farebox.WithEndpoint(provider.Endpoint()),
				farebox.WithBaseTransport(&asked), farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.MustMoney(cap)}))...)
			if err != nil {
				t.Fatal(err)
			}
			before := asked.asked.Load()
			_, err = postSigned(t.Context(), meter, provider.URL()+test.path, test.body)
			return asked.asked.Load() - before, err
		}
		const tight, wide, none = "0.0107", "0.50", "0.005"
		ask := farebox.WithProviderCounts(5 * time.Second)
		if n, err := send(tight); n != 0 || !errors.Is(err, farebox.ErrBudgetExceeded) {
			t.Errorf("%s, not to be asked: %d questions, %v", test.model, n, err)
		}
		if n, err := send(tight, ask); n != 1 || err != nil {
			t.Errorf("%s: %d questions, %v", test.model, n, err)
		}
		if n, err := send(wide, ask); n != 0 || err != nil {
			t.Errorf("%s, which fits: %d questions, %v", test.model, n, err)
		}
		if n, err := send(none, ask); n != 1 || !errors.Is(err, farebox.ErrBudgetExceeded) {
			t.Errorf("%s, which does not fit: %d questions, %v", test.model, n, err)
		}
	}
}

// TestProvidersThatDoNotSay holds that farebox's own count stands where a provider fails, is slow or tells nonsense.
func TestProvidersThatDoNotSay(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) func(*http.Request) (*http.Response, error) {
		return func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		}
	}
	for name, with := range map[string]func(*http.Request) (*http.Response, error){
		"an error":       func(*http.Request) (*http.Response, error) { return nil, errors.New("no route to host") },
		"a status":       answer(http.StatusNotFound, `{"type":"error"}`),
		"nonsense":       answer(http.StatusOK, `<html>`),
		"another object": answer(http.StatusOK, `{"tokens":3}`),
		"less than none": answer(http.StatusOK, `{"input_tokens":-3}`),
		"none":           answer(http.StatusOK, `{"input_tokens":0}`),
		"too late": func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		},
	} {
		provider := askedProvider(t, fareboxtest.Anthropic, "claude-sonnet-4-5")
		asked := questions{with: with}
		client, err := farebox.New(provider.Endpoint(), farebox.WithModels(provider.Prices()...),
			farebox.WithBaseTransport(&asked), farebox.WithProviderCounts(500*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		quote, err := client.Quote(t.Context(), openai.ChatCompletionRequest{
			Model: "claude-sonnet-4-5", MaxTokens: 10, Messages: []openai.ChatCompletionMessage{{Role: "user", Content: prose}},
		})
		if err != nil || quote.InputBasis == "provider" || quote.InputTokens == 0 || asked.asked.Load() != 1 {
			t.Errorf("%s: %+v, %v, %d questions", name, quote, err, asked.asked.Load())
		}
	}
}

// TestQuotesByProviders quotes chats by the count of the provider that they would go to.
func TestQuotesByProviders(t *testing.T) {
	t.Parallel()
	for model, style := range map[string]fareboxtest.Style{"claude-sonnet-4-5": fareboxtest.Anthropic, "gemini-2.5-flash": fareboxtest.Gemini} {
		provider := askedProvider(t, style, model)
		client, err := farebox.New(provider.Endpoint(), farebox.WithModels(provider.Prices()...), farebox.WithProviderCounts(5*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		request := openai.ChatCompletionRequest{Model: model, MaxTokens: 10, Messages: []openai.ChatCompletionMessage{
			{Role: "system", Content: strings.Repeat(prose, 4)}, {Role: "user", Content: strings.Repeat(prose, 8)},
		}}
		want := fareboxtest.Tokens(strings.Repeat(prose, 4)) + fareboxtest.Tokens(strings.Repeat(prose, 8))
		quote, err := client.Quote(t.Context(), request)
		if err != nil || quote.InputBasis != "provider" || quote.InputTokens != want || quote.MostInputTokens <= want || quote.MostInputTokens > want+want/50+16 {
			t.Errorf("%s: %+v, %v; want %d tokens", model, quote, err, want)
		}
		if provider.RequestCount() != 0 {
			t.Errorf("%s: %d calls", model, provider.RequestCount())
		}
	}
}

func TestProviderCountsNeedTime(t *testing.T) {
	t.Parallel()
	if _, err := farebox.NewMeter(farebox.WithProviderCounts(0)); err == nil || !strings.Contains(err.Error(), "WithProviderCounts") {
		t.Errorf("no time: %v", err)
	}
}
