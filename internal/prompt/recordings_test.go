package prompt

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// call is a recorded call and what its provider counted.
type call struct {
	file, provider, api, model string
	body                       []byte
	reported                   int64
}

type indexRow struct {
	File, Provider, API string
	Exchange            int
	Requested           string `json:"model_requested"`
	Returned            string `json:"model_returned"`
	Status              int
	Usage               map[string]any
}

type exchangeFile struct {
	Exchanges []struct {
		Request  struct{ Body json.RawMessage }
		Response struct {
			Body json.RawMessage
			SSE  string
		}
	}
}

// recordedCalls reads the calls that were answered and counted, of the APIs that take is true for, each once.
func recordedCalls(t *testing.T, take func(api string) bool) (calls []call) {
	t.Helper()
	folder := os.Getenv("FAREBOX_RECORDINGS")
	if folder == "" {
		t.Skip("FAREBOX_RECORDINGS does not name the folder of recordings")
	}
	index, err := os.ReadFile(filepath.Join(folder, "INDEX.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	files, seen := map[string]*exchangeFile{}, map[string]bool{}
	for lines := json.NewDecoder(bytes.NewReader(index)); ; {
		var row indexRow
		if err := lines.Decode(&row); errors.Is(err, io.EOF) {
			return calls
		} else if err != nil {
			t.Fatal(err)
		}
		reported := reportedInput(row.Usage)
		if row.Status >= 400 || reported <= 0 || !take(row.API) {
			continue
		}
		if files[row.File] == nil {
			files[row.File] = readExchanges(t, filepath.Join(folder, row.File))
		}
		x := files[row.File].Exchanges[row.Exchange]
		var body bytes.Buffer
		if len(x.Request.Body) == 0 || x.Request.Body[0] != '{' || json.Compact(&body, x.Request.Body) != nil {
			continue
		}
		if calledUnoffered(body.Bytes(), append(x.Response.Body, x.Response.SSE...)) {
			continue
		}
		c := call{row.File, row.Provider, row.API, row.Provider + "/" + modelOf(row, body.Bytes()), body.Bytes(), reported}
		if key := fmt.Sprint(c.model, c.reported, string(c.body)); !seen[key] {
			seen[key] = true
			calls = append(calls, c)
		}
	}
}

// reportedInput is the number of input tokens in a usage, cached ones included.
func reportedInput(usage map[string]any) int64 {
	sum := 0.0
	for _, name := range []string{"prompt_tokens", "input_tokens", "promptTokenCount", "inputTokens",
		"cache_read_input_tokens", "cache_creation_input_tokens", "cacheReadInputTokens", "cacheWriteInputTokens"} {
		if n, ok := usage[name].(float64); ok {
			sum += n
		}
	}
	return int64(sum)
}

// modelOf is the model that was counted for. An Azure deployment has any name, and a list has several.
func modelOf(row indexRow, body []byte) string {
	if strings.HasSuffix(row.Returned, "-2025-04-14") && !strings.Contains(row.Returned, "gpt") {
		return "gpt-4.1" // whose version that is; the name was taken out of the recording
	}
	if row.Requested == "" || row.Provider == "azure" && familyOf(row.Requested) == &unknown || bytes.Contains(body, []byte(`"models":`)) {
		return row.Returned
	}
	return row.Requested
}

// calledUnoffered says whether an answer calls a tool although the request offers none: such a recording was edited.
func calledUnoffered(request, answer []byte) bool {
	return !bytes.Contains(request, []byte(`"tools"`)) && !bytes.Contains(request, []byte(`"functions"`)) &&
		bytes.Contains(answer, []byte(`"finish_reason":"tool_calls"`))
}

func readExchanges(t *testing.T, path string) *exchangeFile {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file := new(exchangeFile)
	if err := json.Unmarshal(raw, file); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return file
}

func isChat(api string) bool { return api == "openai.chat_completions" || api == "gemini.openai" }

// result is a recorded call with its estimate.
type result struct {
	call
	Estimate
}

func (r *result) off() int64 { return max(r.Tokens-r.reported, r.reported-r.Tokens) }

func (r *result) percent() float64 { return 100 * float64(r.off()) / float64(r.reported) }

// heldOut parts the recordings by file. Figures were set in sight of both halves, except where a fit by machine gave
// them, so that the halves say how stable the errors are, not how large they are on calls never seen.
func (r *result) heldOut() bool {
	hash := crc32.ChecksumIEEE([]byte(r.file))
	return hash%2 == 1
}

// errorsOf sums up results.
type errorsOf struct {
	calls, exact, near, within, broken, claimed int
	percents                                    []float64
}

func (e *errorsOf) add(r *result) {
	e.calls++
	if r.off() == 0 {
		e.exact++
	}
	if r.off() <= 2 {
		e.near++
	}
	if r.percent() <= r.Band+100/float64(r.reported) { // or a token
		e.within++
	}
	if r.Bounded {
		e.claimed++
		if r.reported > r.Most {
			e.broken++
		}
	}
	e.percents = append(e.percents, r.percent())
}

func (e *errorsOf) share(n int) float64 { return 100 * float64(n) / float64(max(e.calls, 1)) }

// quantile is the error that a share of the calls do not exceed.
func (e *errorsOf) quantile(share float64) float64 {
	slices.Sort(e.percents)
	return e.percents[min(int(float64(e.calls)*share), e.calls-1)]
}

func (e *errorsOf) String() string {
	return fmt.Sprintf("%d | %.0f %% | %.0f %% | %.1f %% | %.1f %% | %.0f %% | %d of %d",
		e.calls, e.share(e.exact), e.share(e.near), e.quantile(0.5), e.quantile(0.95), e.share(e.within), e.broken, e.claimed)
}

// table prints the errors of groups.
func table(t *testing.T, title string, groups map[string]*errorsOf) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n| group | calls | exact | within 2 | median | 95th percentile | within band | bounds broken |\n|---|---|---|---|---|---|---|---|\n", title)
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		fmt.Fprintf(&b, "| %s | %s |\n", name, groups[name])
	}
	t.Log(b.String())
}

// group adds a result to the errors of a group.
func group(groups map[string]*errorsOf, name string, r *result) {
	if groups[name] == nil {
		groups[name] = new(errorsOf)
	}
	groups[name].add(r)
}

// textChats are the recorded chats that hold text only, estimated.
func textChats(t *testing.T) (results []*result) {
	t.Helper()
	for _, c := range recordedCalls(t, isChat) {
		e, err := Count(OpenAI, c.model, c.body)
		if err != nil {
			t.Fatalf("%s: %v", c.file, err)
		}
		if e.Kind != Media {
			results = append(results, &result{c, e})
		}
	}
	return results
}

// isOpenAI says whether a call went to OpenAI or to Azure, for a model whose vocabulary is known.
func isOpenAI(r *result) bool {
	return (r.provider == "openai" || r.provider == "azure") && familyOf(r.model).own
}

func TestRecordedChats(t *testing.T) {
	t.Parallel()
	families, models := map[string]*errorsOf{}, map[string]*errorsOf{}
	sums := map[string]*errorsOf{}
	for _, r := range textChats(t) {
		if r.Bounded && r.reported > r.Most {
			t.Errorf("%s: %s: reported %d, at most %d claimed", r.file, r.model, r.reported, r.Most)
		}
		half := "first half"
		if r.heldOut() {
			half = "second half"
		}
		group(models, r.model+" "+r.Kind.String(), r)
		if isOpenAI(r) {
			group(families, "OpenAI "+r.Family+" "+r.Kind.String(), r)
			group(sums, "OpenAI", r)
			group(sums, "OpenAI, "+half, r)
			continue
		}
		group(families, r.Family+" "+r.Kind.String(), r)
		group(sums, "others", r)
		group(sums, "others, "+half, r)
		if r.Bounded {
			group(sums, "others with a bound", r)
		}
	}
	table(t, "by provider and model", models)
	table(t, "by family", families)
	table(t, "all", sums)
	for _, name := range []string{"OpenAI", "OpenAI, first half", "OpenAI, second half"} {
		if e := sums[name]; e.share(e.near) < 93 || e.share(e.exact) < 60 {
			t.Errorf("%s: %s", name, e)
		}
	}
	if sums["OpenAI"].share(sums["OpenAI"].within) < 95 || sums["others"].share(sums["others"].within) < 90 {
		t.Errorf("within the band: OpenAI %s, others %s", sums["OpenAI"], sums["others"])
	}
	for _, name := range []string{"others", "others, first half", "others, second half"} {
		if e := sums[name]; e.quantile(0.5) > 10 {
			t.Errorf("%s: %s", name, e)
		}
	}
}

// formats are the APIs besides chats whose requests are read as they are.
var formats = map[string]Format{
	"openai.responses": Responses, "anthropic.messages": Anthropic, "gemini.generateContent": Gemini,
}

// read counts a recorded call. known is false where the request refers to what is not in it, or has the provider run
// something: what that comes to nobody can know before.
func read(t *testing.T, format Format, c call) (r *result, known bool) {
	t.Helper()
	f := familyOf(c.model)
	vocabulary, err := f.vocabulary()
	if err != nil {
		t.Fatal(err)
	}
	var reader counter
	if err := reader.count(f, vocabulary, format, c.body, math.MaxInt64); err != nil {
		t.Fatalf("%s: %v", c.file, err)
	}
	return &result{c, reader.estimate()}, !reader.unbounded
}

// TestRecordedFormats counts the requests of other APIs as they were sent. Some figures of theirs were read off the first
// half of the files; none was in sight of the second.
func TestRecordedFormats(t *testing.T) {
	t.Parallel()
	groups, sums := map[string]*errorsOf{}, map[string]*errorsOf{}
	for _, c := range recordedCalls(t, func(api string) bool { _, ok := formats[api]; return ok }) {
		r, known := read(t, formats[c.api], c)
		if r.Bounded && r.reported > r.Most {
			t.Errorf("%s: %s: reported %d, at most %d claimed", r.file, r.model, r.reported, r.Most)
		}
		if !known || r.Kind == Media { // the recordings hold no media: they were cut out
			continue
		}
		half := ", first half"
		if r.heldOut() {
			half = ", held out"
		}
		group(groups, c.api+" "+r.Family+" "+r.Kind.String(), r)
		group(sums, c.api+" "+r.Kind.String()+half, r)
		if c.api == "openai.responses" && isOpenAI(r) && r.Basis == Exact {
			group(sums, "openai.responses "+r.Kind.String()+", exact at OpenAI"+half, r)
		}
	}
	table(t, "other APIs by family", groups)
	table(t, "other APIs", sums)
	if e := sums["openai.responses plain, exact at OpenAI, held out"]; e.share(e.near) < 93 || e.share(e.exact) < 60 {
		t.Errorf("OpenAI's Responses, held out: %s", e)
	}
	for name, e := range sums {
		if strings.HasPrefix(name, "openai.responses plain, exact") && e.quantile(0.5) > 0 ||
			strings.Contains(name, " plain") && !strings.HasPrefix(name, "openai") && e.quantile(0.5) > 10 {
			t.Errorf("%s: %s", name, e)
		}
	}
}

// TestRecordedConverse estimates the texts of requests to Bedrock's Converse API as if they were chats. They were run once
// all figures stood, and none was changed for them, so that they are the ones that were never seen: what they say is
// printed and not asked to be good, but no bound may break.
func TestRecordedConverse(t *testing.T) {
	t.Parallel()
	sums := map[string]*errorsOf{}
	for _, c := range recordedCalls(t, func(api string) bool { return api == "bedrock.converse" }) {
		chat, ok := converseAsChat(c.body)
		if !ok {
			continue
		}
		c.body = chat
		r, _ := read(t, OpenAI, c)
		if r.Bounded && r.reported > r.Most {
			t.Errorf("%s: %s: reported %d, at most %d claimed", r.file, r.model, r.reported, r.Most)
		}
		name := "bedrock.converse, families with a row"
		if r.Family == unknown.name {
			name = "bedrock.converse, unknown"
		}
		group(sums, name, r)
	}
	table(t, "never seen", sums)
}

// TestRecordedLearning lets a Learner see recorded calls in turn and looks at what it makes of those after the
// twentieth of a model.
func TestRecordedLearning(t *testing.T) {
	t.Parallel()
	results := textChats(t)
	slices.SortStableFunc(results, func(a, b *result) int {
		return cmp.Compare(crc32.ChecksumIEEE([]byte(a.file)), crc32.ChecksumIEEE([]byte(b.file)))
	})
	var known, strange Learner
	calls := map[string]int{}
	groups := map[string]*errorsOf{}
	for _, r := range results {
		blind, err := Count(OpenAI, "of a name that says nothing", r.body)
		if err != nil {
			t.Fatal(err)
		}
		nameless := &result{r.call, blind}
		if calls[r.model]++; calls[r.model] > 20 && !isOpenAI(r) {
			group(groups, "known models, as counted", r)
			group(groups, "known models, adjusted", &result{r.call, known.Adjust(r.model, r.Estimate)})
		}
		if calls[r.model] > 20 {
			group(groups, "all models as unknown, as counted", nameless)
			group(groups, "all models as unknown, adjusted", &result{r.call, strange.Adjust(r.model, blind)})
		}
		known.Observe(r.model, r.Estimate, r.reported)
		strange.Observe(r.model, blind, r.reported)
	}
	table(t, "after 20 calls of a model", groups)
	if e := groups["known models, adjusted"]; e.quantile(0.5) > 4 {
		t.Errorf("known models: %s", e)
	}
	if e := groups["all models as unknown, adjusted"]; e.quantile(0.5) > 6 {
		t.Errorf("unknown models: %s", e)
	}
}
