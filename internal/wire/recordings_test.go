package wire_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/farebox-go/farebox/internal/framing"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/gemini"
)

// recorded is one exchange with a real provider, with what the index says about it.
type recorded struct {
	File      string                `json:"file"`
	Exchange  int                   `json:"exchange"`
	Provider  string                `json:"provider"`
	API       string                `json:"api"`
	Stream    bool                  `json:"stream"`
	Requested *string               `json:"model_requested"`
	Returned  *string               `json:"model_returned"`
	Usage     json.RawMessage       `json:"usage"`
	Cost      *struct{ USD string } `json:"reported_cost"`
	Status    int                   `json:"status"`
	Flags     []string              `json:"flags"`

	request struct {
		Method, URL string
		Body        json.RawMessage
	}
	response struct {
		Headers     map[string]any
		Body        json.RawMessage
		SSE         string
		NDJSON      string
		EventStream []byte `json:"eventstream_base64"`
		Text        string
	}
}

func (x *recorded) name() string { return x.File + "#" + strconv.Itoa(x.Exchange) }

// seen is the usage of the index, nil where there is none.
func (x *recorded) usage(t *testing.T) (u map[string]any) {
	t.Helper()
	if err := json.Unmarshal(x.Usage, &u); err != nil {
		t.Fatal(err)
	}
	return u
}

func (x *recorded) target(t *testing.T) wire.Target {
	t.Helper()
	u, err := url.Parse(x.request.URL)
	if err != nil {
		t.Fatal(err)
	}
	return wire.Target{Method: x.request.Method, Host: u.Host, Path: u.Path, Query: u.RawQuery, Provider: x.Provider}
}

func (x *recorded) head() http.Header {
	h := http.Header{}
	for name, value := range x.response.Headers {
		if text, ok := value.(string); ok {
			h.Set(name, text)
		}
	}
	return h
}

// body is the answer's body as it went over the wire, as nearly as the recording has it.
func (x *recorded) body(t *testing.T) []byte {
	t.Helper()
	switch {
	case x.response.SSE != "":
		return []byte(x.response.SSE)
	case x.response.NDJSON != "":
		return []byte(x.response.NDJSON)
	case x.response.EventStream != nil:
		return x.response.EventStream
	case x.response.Body != nil:
		return x.response.Body
	}
	return []byte(x.response.Text)
}

// read reads an answer in pieces of the sizes that next gives.
func (x *recorded) read(t *testing.T, format wire.Format, of *wire.Request, next func() int) *wire.Answer {
	t.Helper()
	body, head := x.body(t), x.head()
	kind := framing.OfContentType(head.Get("Content-Type"))
	if first := bytes.TrimLeft(body, " \r\n\t"); kind == framing.None && len(first) > 0 {
		kind = framing.OfBeginning(first[0], of.Stream)
	}
	if kind == framing.None {
		r := format.NewBodyReader(of)
		for len(body) > 0 {
			n := min(next(), len(body))
			piece := bytes.Clone(body[:n])
			r.Write(piece)
			clear(piece)
			body = body[n:]
		}
		format.ReadHeaders(of, head, r.Answer())
		return r.Answer()
	}
	r := format.NewStreamReader(of)
	p := kind.New(0)
	event := func(name, data []byte) { r.Event(name, data) }
	for len(body) > 0 {
		n := min(next(), len(body))
		piece := bytes.Clone(body[:n])
		p.Write(piece, event)
		clear(piece)
		body = body[n:]
	}
	p.Close(event)
	format.ReadHeaders(of, head, r.Answer())
	return r.Answer()
}

// eachRecorded calls f with every recorded exchange of some APIs.
func eachRecorded(t *testing.T, wanted func(api string) bool, f func(t *testing.T, x *recorded)) {
	t.Helper()
	folder := os.Getenv("FAREBOX_RECORDINGS")
	if folder == "" {
		t.Skip("FAREBOX_RECORDINGS does not name the folder of recordings")
	}
	index, err := os.ReadFile(filepath.Join(folder, "INDEX.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(index) {
		x := &recorded{}
		if err := json.Unmarshal(line, x); err != nil {
			t.Fatal(err)
		}
		if wanted(x.API) {
			x.load(t, folder)
			f(t, x)
		}
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

// stated is a usage as a provider states it, brought into sums by the test's own reading.
type stated struct{ input, output, cached, written int64 }

// number is a member of a usage; a member of a member is named with a dot.
func number(u map[string]any, path string) int64 {
	name, rest, nested := strings.Cut(path, ".")
	if nested {
		inner, _ := u[name].(map[string]any)
		return number(inner, rest)
	}
	n, _ := u[name].(float64)
	return int64(n)
}

// dialects are the APIs that are read by the formats of this table: which format reads them, and what the index's usage
// says by the provider's own documentation.
var dialects = map[string]struct {
	format wire.Format
	stated func(u map[string]any) stated
}{
	"gemini.generateContent": {gemini.Format{}, statedByGemini},
	"gemini.embedContent":    {gemini.Format{}, statedByGemini},
	"gemini.countTokens":     {gemini.Format{}, nil},
	"gemini.interactions": {gemini.Format{}, func(u map[string]any) stated {
		return stated{
			input:  number(u, "total_input_tokens") + number(u, "total_tool_use_tokens"),
			output: number(u, "total_output_tokens") + number(u, "total_thought_tokens"),
			cached: number(u, "total_cached_tokens"),
		}
	}},
	"vertex.predict": {gemini.Format{}, func(u map[string]any) (s stated) {
		for _, one := range u["statistics"].([]any) {
			s.input += number(one.(map[string]any), "token_count")
		}
		return s
	}},
}

func statedByGemini(u map[string]any) stated {
	return stated{
		input:  number(u, "promptTokenCount") + number(u, "toolUsePromptTokenCount"),
		output: number(u, "candidatesTokenCount") + number(u, "thoughtsTokenCount"),
		cached: number(u, "cachedContentTokenCount"),
	}
}

func isDialect(api string) bool { _, ok := dialects[api]; return ok }

func TestRecordings(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	table := map[string][4]int{}
	eachRecorded(t, isDialect, func(t *testing.T, x *recorded) {
		dialect := dialects[x.API]
		to := x.target(t)
		row := table[x.Provider+" "+x.API]
		defer func() { table[x.Provider+" "+x.API] = row }()
		row[0]++
		route, ok := dialect.format.Recognise(to)
		switch {
		case !ok:
			t.Errorf("%s: %s is not recognised", x.name(), to.Path)
			return
		case (dialect.stated == nil) != (route.Billing == wire.Free):
			t.Errorf("%s: billing %d", x.name(), route.Billing)
		}
		if route.Billing == wire.Free {
			row[3]++
			return
		}
		req, err := dialect.format.ReadRequest(route.Operation, to, x.request.Body)
		if err != nil && len(x.request.Body) > 0 && string(x.request.Body) != "null" {
			t.Errorf("%s: %v", x.name(), err)
		}
		x.checkRequest(t, &req)
		if x.Status >= 400 {
			if e := dialect.format.ReadError(x.Status, bytes.TrimSpace(x.body(t))); e.Message == "" || len([]rune(e.Message)) > 300 {
				t.Errorf("%s: error %+v", x.name(), e)
			}
			row[3]++
			return
		}
		a := x.read(t, dialect.format, &req, func() int { return 1 << 30 })
		x.checkAnswer(t, a, dialect.stated)
		if a.UsageSeen {
			row[1]++
		}
		if x.usage(t) != nil {
			row[2]++
		}
		want, _ := json.Marshal(a)
		for _, most := range []int{1, 7, 400} {
			got, _ := json.Marshal(x.read(t, dialect.format, &req, func() int { return 1 + random.IntN(most) }))
			if !bytes.Equal(got, want) {
				t.Errorf("%s: in pieces of at most %d\n got %s\nwant %s", x.name(), most, got, want)
			}
		}
	})
	var keys []string
	for key := range table {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		row := table[key]
		t.Logf("%-40s %4d exchanges, usage read in %4d of %4d, %3d free or errors", key, row[0], row[1], row[2], row[3])
	}
}

func (x *recorded) checkRequest(t *testing.T, req *wire.Request) {
	t.Helper()
	if x.Requested != nil && req.Model != *x.Requested {
		t.Errorf("%s: model %q, want %q", x.name(), req.Model, *x.Requested)
	}
	if x.Stream != req.Stream && x.Status < 400 {
		t.Errorf("%s: stream %v", x.name(), req.Stream)
	}
	if len(x.request.Body) > 20 && req.TextBytes+req.InputTokens+int64(req.Images+req.Files+req.Videos+req.Audios) == 0 {
		t.Errorf("%s: nothing to read in %.200s", x.name(), x.request.Body)
	}
	if len(x.request.Body) == 0 || string(x.request.Body) == "null" {
		return
	}
	if req.Operation == wire.GenerateContent || req.Operation == wire.Chat {
		if req.Messages == 0 || req.Inputs != 1 || req.Choices < 1 {
			t.Errorf("%s: read %+v", x.name(), req)
		}
	}
}

func (x *recorded) checkAnswer(t *testing.T, a *wire.Answer, reading func(map[string]any) stated) {
	t.Helper()
	usage := x.usage(t)
	if a.UsageSeen != (usage != nil) {
		t.Errorf("%s: usage seen %v, stated %s", x.name(), a.UsageSeen, x.Usage)
	}
	if x.Returned != nil && a.Model != *x.Returned {
		t.Errorf("%s: model %q, want %q", x.name(), a.Model, *x.Returned)
	}
	if x.Stream && a.FinishReason == "" {
		t.Errorf("%s: no reason to finish", x.name())
	}
	if (x.Cost == nil) != (a.Reported.Literal == "") {
		t.Errorf("%s: reported %+v, want %+v", x.name(), a.Reported, x.Cost)
	}
	if usage == nil {
		return
	}
	want := reading(usage)
	u := &a.Usage
	got := stated{u.InputTokens(), u.OutputTokens(), u.CacheRead + u.AudioCacheRead + u.ImageCacheRead, u.CacheWrite + u.CacheWrite1h}
	if got != want || a.Contradictory && want.input > 0 {
		t.Errorf("%s: read %+v (contradictory %v), want %+v of %s", x.name(), got, a.Contradictory, want, x.Usage)
	}
}
