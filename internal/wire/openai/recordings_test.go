package openai_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/farebox-go/farebox/internal/sse"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/openai"
)

// recorded is one exchange with a real provider, with what the index says about it.
type recorded struct {
	File      string          `json:"file"`
	Exchange  int             `json:"exchange"`
	API       string          `json:"api"`
	Stream    bool            `json:"stream"`
	Requested *string         `json:"model_requested"`
	Returned  *string         `json:"model_returned"`
	Usage     json.RawMessage `json:"usage"`
	Cost      *struct {
		Source string `json:"source"`
		USD    string `json:"usd"`
	} `json:"reported_cost"`
	Status int      `json:"status"`
	Flags  []string `json:"flags"`

	request struct {
		Method, URL string
		Body        json.RawMessage
	}
	response struct {
		Headers map[string]any
		Body    json.RawMessage
		SSE     string
		Text    string
	}
}

func (x *recorded) name() string { return x.File + "#" + strconv.Itoa(x.Exchange) }

func (x *recorded) op() wire.Operation {
	return map[string]wire.Operation{
		"openai.chat_completions": wire.Chat,
		"openai.completions":      wire.TextCompletion,
		"openai.embeddings":       wire.Embeddings,
	}[x.API]
}

func (x *recorded) path(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(x.request.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Path
}

// body is the answer's body as it went over the wire, as nearly as the recording has it.
func (x *recorded) body() []byte {
	switch {
	case x.response.SSE != "":
		return []byte(x.response.SSE)
	case x.response.Body != nil:
		return append([]byte("\n         \n"), x.response.Body...) // OpenRouter pads while it waits
	}
	return []byte(x.response.Text)
}

// eachRecorded calls f with every recorded exchange of the APIs that this package reads.
func eachRecorded(t *testing.T, f func(t *testing.T, x *recorded)) {
	t.Helper()
	folder := os.Getenv("FAREBOX_RECORDINGS")
	if folder == "" {
		t.Skip("FAREBOX_RECORDINGS does not name the folder of recordings")
	}
	index, err := os.Open(filepath.Join(folder, "INDEX.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer index.Close()
	n := 0
	lines := bufio.NewScanner(index)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		x := &recorded{}
		if err := json.Unmarshal(lines.Bytes(), x); err != nil {
			t.Fatal(err)
		}
		if x.op() == "" {
			continue
		}
		x.load(t, folder)
		n++
		f(t, x)
	}
	if lines.Err() != nil || n < 100 {
		t.Fatalf("read %d exchanges: %v", n, lines.Err())
	}
}

func (x *recorded) load(t *testing.T, folder string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, x.File))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Exchanges []struct{ Request, Response json.RawMessage }
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	one := file.Exchanges[x.Exchange]
	if err := json.Unmarshal(one.Request, &x.request); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(one.Response, &x.response); err != nil {
		t.Fatal(err)
	}
}

// read reads an answer in pieces of the sizes that next gives.
func read(x *recorded, next func() int) *wire.Answer {
	var format openai.Format
	body := x.body()
	if x.response.SSE == "" {
		r := format.NewBodyReader(&wire.Request{Operation: x.op()})
		for len(body) > 0 {
			n := min(next(), len(body))
			r.Write(body[:n])
			body = body[n:]
		}
		return r.Answer()
	}
	r := format.NewStreamReader(&wire.Request{Operation: x.op()})
	p := sse.NewParser(0)
	event := func(name, data []byte) { r.Event(name, data) }
	for len(body) > 0 {
		n := min(next(), len(body))
		p.Write(bytes.Clone(body[:n]), event)
		body = body[n:]
	}
	p.Close(event)
	return r.Answer()
}

func whole() int { return 1 << 30 }

func TestRecordedRequests(t *testing.T) {
	t.Parallel()
	eachRecorded(t, func(t *testing.T, x *recorded) {
		var format openai.Format
		to := wire.Target{Method: x.request.Method, Path: x.path(t)}
		route, ok := format.Recognise(to)
		if !ok || route != (wire.Route{Operation: x.op()}) {
			t.Errorf("%s: %s recognised as %+v", x.name(), x.path(t), route)
		}
		if len(x.request.Body) == 0 || string(x.request.Body) == "null" {
			return
		}
		req, err := format.ReadRequest(route.Operation, to, x.request.Body)
		if err != nil {
			t.Errorf("%s: %v", x.name(), err)
			return
		}
		if x.Requested != nil && req.Model != *x.Requested {
			t.Errorf("%s: model %q, want %q", x.name(), req.Model, *x.Requested)
		}
		checkRequest(t, x, &req)
	})
}

// checkRequest compares what was read with the same request decoded by encoding/json.
func checkRequest(t *testing.T, x *recorded, req *wire.Request) {
	t.Helper()
	var want struct {
		Messages  []json.RawMessage
		Tools     []json.RawMessage
		Functions []json.RawMessage
		Stream    bool
		N         int
		Options   *struct {
			Include bool `json:"include_usage"`
		} `json:"stream_options"`
	}
	if err := json.Unmarshal(x.request.Body, &want); err != nil {
		t.Fatal(err)
	}
	if req.Messages != len(want.Messages) || req.Tools != len(want.Tools)+len(want.Functions) ||
		req.Stream != want.Stream || req.Choices != max(want.N, 1) {
		t.Errorf("%s: read %+v", x.name(), req)
	}
	if asked := want.Options != nil && want.Options.Include; asked && !req.IncludeUsage {
		t.Errorf("%s: usage was asked for", x.name())
	}
	if req.TextBytes+req.InputTokens+int64(req.Images+req.Files) == 0 && len(want.Messages) > 0 {
		t.Errorf("%s: no text in %d messages", x.name(), len(want.Messages))
	}
}

func TestRecordedAnswers(t *testing.T) {
	t.Parallel()
	eachRecorded(t, func(t *testing.T, x *recorded) {
		if x.Status >= 400 {
			e := openai.Format{}.ReadError(x.Status, bytes.TrimSpace(x.body()))
			if e.Message == "" || len([]rune(e.Message)) > 300 {
				t.Errorf("%s: error %+v", x.name(), e)
			}
			return
		}
		a := read(x, whole)
		if seen := string(x.Usage) != "null"; a.UsageSeen != seen {
			t.Errorf("%s: usage seen %v, want %v", x.name(), a.UsageSeen, seen)
		}
		if x.Returned != nil && a.Model != *x.Returned || x.Returned == nil && a.Model != "" {
			t.Errorf("%s: model %q, want %v", x.name(), a.Model, x.Returned)
		}
		if a.UsageSeen {
			checkUsage(t, x, a)
		}
		checkCost(t, x, a)
	})
}

// checkUsage compares the sums of the usage with what the provider states.
func checkUsage(t *testing.T, x *recorded, a *wire.Answer) {
	t.Helper()
	var want struct {
		Prompt     int64 `json:"prompt_tokens"`
		Completion int64 `json:"completion_tokens"`
		Total      int64 `json:"total_tokens"`
	}
	if err := json.Unmarshal(x.Usage, &want); err != nil {
		t.Fatal(err)
	}
	u := &a.Usage
	in, out := u.InputTokens(), u.OutputTokens()
	if in+out != max(want.Total, want.Prompt+want.Completion) || in < want.Prompt || out < want.Completion {
		t.Errorf("%s: read %d + %d of %s", x.name(), in, out, x.Usage)
	}
	for _, n := range kinds(u) {
		if n < 0 {
			t.Errorf("%s: a count below zero: %+v", x.name(), u)
		}
	}
	if u.Requests != 1 {
		t.Errorf("%s: %d requests", x.name(), u.Requests)
	}
}

func kinds(u *wire.Usage) []int64 {
	return []int64{u.Input, u.CacheRead, u.CacheWrite, u.CacheWrite1h, u.AudioInput, u.AudioCacheRead, u.ImageInput,
		u.ImageCacheRead, u.VideoInput, u.Output, u.Reasoning, u.AudioOutput, u.ImageOutput, u.VideoOutput, u.Citation, u.WebSearches, u.Requests}
}

func checkCost(t *testing.T, x *recorded, a *wire.Answer) {
	t.Helper()
	h := http.Header{}
	for name, value := range x.response.Headers {
		if text, ok := value.(string); ok {
			h.Set(name, text)
		}
	}
	openai.Format{}.ReadHeaders(&wire.Request{Stream: x.response.SSE != ""}, h, a)
	cost := a.Reported
	switch {
	case x.Cost == nil && cost.Literal != "":
		t.Errorf("%s: cost %+v where none is stated", x.name(), cost)
	case x.Cost != nil && amount(t, cost).Cmp(amount(t, wire.ReportedCost{Literal: x.Cost.USD})) != 0:
		t.Errorf("%s: cost %+v, want %+v", x.name(), cost, x.Cost)
	}
}

func amount(t *testing.T, c wire.ReportedCost) *big.Rat {
	t.Helper()
	figure := rat(c.Literal)
	if figure == nil {
		t.Errorf("no figure: %+v", c)
		return new(big.Rat)
	}
	return figure.Mul(figure, rat("1e"+strconv.Itoa(c.Exponent)))
}

// rat is the exact value of a JSON number, nil where it is none.
func rat(literal string) *big.Rat {
	if figure, ok := new(big.Rat).SetString(literal); ok {
		return figure
	}
	return nil
}

// TestRecordedChunking reads every answer in pieces of random sizes: the sizes must not matter.
func TestRecordedChunking(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	eachRecorded(t, func(t *testing.T, x *recorded) {
		if x.Status >= 400 {
			return
		}
		want, _ := json.Marshal(read(x, whole))
		for _, most := range []int{1, 7, 400} {
			got, _ := json.Marshal(read(x, func() int { return 1 + random.IntN(most) }))
			if !bytes.Equal(got, want) {
				t.Errorf("%s: in pieces of at most %d\n got %s\nwant %s", x.name(), most, got, want)
			}
		}
	})
}
