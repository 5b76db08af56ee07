package sdks

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/farebox-go/farebox"
)

// recorded is an answer as a provider gave it once.
type recorded struct {
	name         string
	status       int
	header       http.Header
	body         string
	stream       bool
	input, total int64 // tokens, as the provider's usage has them; total 0: there was none
	readWhole    bool  // the last reader of the answer has come to its end
}

// recordedUsage is what of a usage adds up to all of it, in the words of the four providers that are replayed.
type recordedUsage struct {
	Prompt     int64 `json:"prompt_tokens"` // OpenAI's
	Completion int64 `json:"completion_tokens"`
	Input      int64 `json:"input_tokens"` // its responses', and Anthropic's
	Output     int64 `json:"output_tokens"`
	CacheRead  int64 `json:"cache_read_input_tokens"`
	CacheWrite int64 `json:"cache_creation_input_tokens"`
	GeminiIn   int64 `json:"promptTokenCount"`
	ToolUse    int64 `json:"toolUsePromptTokenCount"`
	Candidates int64 `json:"candidatesTokenCount"`
	Thoughts   int64 `json:"thoughtsTokenCount"`
	Billed     struct {
		Input  float64 `json:"input_tokens"`
		Output float64 `json:"output_tokens"`
	} `json:"billed_units"` // Cohere's
}

func (u *recordedUsage) tokens() (input, total int64) {
	if billed := int64(u.Billed.Input); billed > 0 {
		return billed, billed + int64(u.Billed.Output)
	}
	input = u.Prompt + u.Input + u.CacheRead + u.CacheWrite + u.GeminiIn + u.ToolUse
	return input, input + u.Completion + u.Output + u.Candidates + u.Thoughts
}

// recordings reads the answers of one provider in one API that an SDK of its can be given in place of its own.
func recordings(t *testing.T, provider, api, path string) []recorded {
	t.Helper()
	folder := os.Getenv("FAREBOX_RECORDINGS")
	if folder == "" {
		t.Skip("FAREBOX_RECORDINGS does not name the folder of recordings")
	}
	index, err := os.ReadFile(filepath.Join(folder, "INDEX.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var all []recorded
	for line := range strings.SplitSeq(strings.TrimSpace(string(index)), "\n") {
		var row struct {
			File, Provider, API string
			Exchange            int
			Usage               *recordedUsage
			Flags               []string
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		if row.Provider != provider || row.API != api || slices.Contains(row.Flags, "usage_iterations") {
			continue
		}
		if r, ok := readRecorded(t, filepath.Join(folder, row.File), row.Exchange, path); ok {
			if row.Usage != nil {
				r.input, r.total = row.Usage.tokens()
			}
			all = append(all, r)
		}
	}
	return all
}

// readRecorded reads one exchange; false where no SDK would come by it: another route, a failure that it would try again.
func readRecorded(t *testing.T, file string, exchange int, path string) (recorded, bool) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var content struct {
		Exchanges []struct {
			Request struct {
				Method, URL string
				Body        json.RawMessage
			}
			Response struct {
				Status  int
				Headers map[string]string
				Body    json.RawMessage
				SSE     *string
			}
		}
	}
	if err := json.Unmarshal(data, &content); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	x := content.Exchanges[exchange]
	r := recorded{name: fmt.Sprintf("%s#%d", filepath.Base(file), exchange), status: x.Response.Status, header: http.Header{}}
	for name, value := range x.Response.Headers {
		if !strings.EqualFold(name, "Content-Encoding") && !strings.EqualFold(name, "Content-Length") {
			r.header.Set(name, value)
		}
	}
	if x.Response.SSE != nil {
		r.body, r.stream = *x.Response.SSE, true
	} else {
		r.body = string(x.Response.Body)
	}
	sure := r.status == http.StatusOK || r.status == http.StatusBadRequest || r.status == http.StatusNotFound
	askedForStream := strings.Contains(string(x.Request.Body), `"stream": true`) || strings.Contains(x.Request.URL, ":stream")
	return r, sure && x.Request.Method == http.MethodPost && r.body != "" && strings.Contains(x.Request.URL, path) && askedForStream == r.stream &&
		!strings.Contains(string(x.Request.Body), `"background": true`)
}

// RoundTrip answers whatever is asked.
func (r *recorded) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body)
		_ = req.Body.Close()
	}
	return &http.Response{
		Status: http.StatusText(r.status), StatusCode: r.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: r.header.Clone(), ContentLength: -1, Body: io.NopCloser(&noticing{strings.NewReader(r.body), r}),
	}, nil
}

// noticing notices that an answer is read to its end.
type noticing struct {
	io.Reader
	of *recorded
}

func (n *noticing) Read(p []byte) (int, error) {
	read, err := n.Reader.Read(p)
	n.of.readWhole = err != nil
	return read, err
}

// outcome is all that an SDK's caller learns, a panic of the SDK's own included.
func outcome(c conversation, stream bool) (all string) {
	defer func() {
		if cause := recover(); cause != nil {
			all = fmt.Sprintf("panic: %v", cause)
		}
	}()
	var text string
	var err error
	if stream {
		text, err = joined(context.Background(), c, prompt)
	} else {
		text, err = c.ask(context.Background(), prompt)
	}
	if err != nil {
		return text + "\nerror: " + err.Error()
	}
	return text
}

// TestSDKsOverRecordings gives each SDK what its provider has answered to others: with the Meter between, its caller learns
// what it learns without, and the receipt has the usage that the provider stated.
func TestSDKsOverRecordings(t *testing.T) {
	t.Parallel()
	byName := map[string]sdk{"cohere-go": {name: "cohere-go", forms: []form{byDoer}, open: openCohere}}
	for _, s := range sdks {
		byName[s.name] = s
	}
	for _, of := range []struct{ sdk, url, provider, api, path string }{
		{"openai-go chat", "https://api.openai.com/v1", "openai", "openai.chat_completions", "/chat/completions"},
		{"go-openai", "https://api.openai.com/v1", "openai", "openai.chat_completions", "/chat/completions"},
		{"langchaingo", "https://api.openai.com/v1", "openai", "openai.chat_completions", "/chat/completions"},
		{"eino", "https://api.openai.com/v1", "openai", "openai.chat_completions", "/chat/completions"},
		{"net/http", "https://api.openai.com/v1", "openai", "openai.chat_completions", "/chat/completions"},
		{"openai-go responses", "https://api.openai.com/v1", "openai", "openai.responses", "/responses"},
		{"anthropic-sdk-go", "https://api.anthropic.com", "anthropic", "anthropic.messages", "/messages"},
		{"genai", "https://generativelanguage.googleapis.com", "gemini", "gemini.generateContent", "enerateContent"},
		{"cohere-go", "https://api.cohere.com", "cohere", "cohere.chat", "/v2/chat"},
	} {
		t.Run(of.sdk, func(t *testing.T) {
			t.Parallel()
			s := byName[of.sdk]
			all := recordings(t, of.provider, of.api, of.path)
			metered := 0
			for i := range all {
				if replay(t, &s, of.url, &all[i]) {
					metered++
				}
			}
			t.Logf("%d answers, of which %d with a usage", len(all), metered)
			if metered == 0 {
				t.Error("no answer had a usage")
			}
		})
	}
}

// replay gives an SDK one recorded answer, with and without a Meter; it says whether the answer had a usage.
func replay(t *testing.T, s *sdk, url string, r *recorded) bool {
	t.Helper()
	meter, err := farebox.NewMeter(farebox.WithBaseTransport(r), farebox.WithRefuseUnmetered(),
		farebox.WithUnpricedRates(farebox.Rates{farebox.DimensionInput: farebox.MustPerMillion("1"), farebox.DimensionOutput: farebox.MustPerMillion("2")}))
	if err != nil {
		t.Fatal(err)
	}
	var tries atomic.Int32
	bare, err := s.open(connection{url: url, client: &http.Client{Transport: r}})
	if err != nil {
		t.Fatal(err)
	}
	over, err := s.open(connect(meter, s.forms[0], url, &tries))
	if err != nil {
		t.Fatal(err)
	}
	want := outcome(bare, r.stream)
	readWhole := r.readWhole // cohere-go and genai leave some streams before their end
	if got := outcome(over, r.stream); got != want {
		t.Errorf("%s: with the Meter %q, without %q", r.name, got, want)
	}
	if err := meter.Close(context.Background()); err != nil {
		t.Errorf("%s: Close: %v", r.name, err)
	}
	var receipts []farebox.Receipt
	for receipt := range meter.Ledger().Receipts(farebox.Filter{}) {
		receipts = append(receipts, receipt)
	}
	if len(receipts) != 1 || tries.Load() != 1 {
		t.Errorf("%s: %d receipts of %d tries, want 1", r.name, len(receipts), tries.Load())
		return false
	}
	switch usage := receipts[0].Usage; {
	case r.status != http.StatusOK || r.total == 0:
		return false
	case !readWhole && receipts[0].Source == farebox.Held:
		return false // nobody has seen the usage: the most that it can be stays charged
	case usage.InputTokens() != r.input || usage.InputTokens()+usage.OutputTokens() != r.total:
		t.Errorf("%s: %d and %d tokens, the provider said %d of %d", r.name, usage.InputTokens(), usage.OutputTokens(), r.input, r.total)
	}
	return true
}
