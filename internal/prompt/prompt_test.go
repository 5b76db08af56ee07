package prompt

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/farebox-go/farebox/internal/jsonwalk"
)

// tokensOf is an exact count of a text.
func tokensOf(t testing.TB, encoding, text string) int64 {
	t.Helper()
	e, err := (&family{encoding: encoding}).vocabulary()
	if err != nil {
		t.Fatal(err)
	}
	return int64(e.Count(text))
}

func TestCount(t *testing.T) {
	t.Parallel()
	const hello = `"content":"hello world"` // two tokens in every encoding
	const weather = `{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}`
	shown := tokensOf(t, "o200k_base", "namespace functions {\n\ntype weather = (_: {\ncity: string,\n}) => any;\n\n} // namespace functions")
	for _, c := range []struct {
		name, model, body string
		want              int64
	}{
		{"a message", "gpt-4o", `{"messages":[{"role":"user",` + hello + `}]}`, 2 + 4 + 3},
		{"reasoning models are primed with less", "o3-mini", `{"messages":[{"role":"user",` + hello + `}]}`, 2 + 4 + 2},
		{"an older encoding", "gpt-4", `{"messages":[{"role":"user",` + hello + `}]}`, 2 + 4 + 3},
		{"two messages and a name", "gpt-4o", `{"messages":[{"role":"system",` + hello + `},{"role":"user","name":"bob",` + hello + `}]}`, 4 + 8 + 3 + 2},
		{"parts", "gpt-4o", `{"messages":[{"role":"user","content":[{"type":"text","text":"hello world"},{"type":"text","text":"hello world"}]}]}`, 4 + 4 + 3},
		{"escapes", "gpt-4o", `{"messages":[{"role":"user","content":"hello\u0020world"}]}`, 2 + 4 + 3},
		{"nulls", "gpt-4o", `{"messages":[{"role":"user",` + hello + `,"name":null,"tool_calls":null,"refusal":null}],"tools":null,"response_format":null}`, 2 + 4 + 3},
		{"a replay under gpt-5", "gpt-5", `{"messages":[{"role":"assistant",` + hello + `}]}`, 2 + 4 + 2 + 2},
		{"a tool", "gpt-4o", `{"messages":[{"role":"user",` + hello + `}],"tools":[` + weather + `]}`, 2 + 4 + 3 + shown + 9 - 1},
		{"a tool and a system message", "gpt-4o", `{"messages":[{"role":"system",` + hello + `}],"tools":[` + weather + `]}`, 2 + 4 + 3 + shown + 9 - 1 - 4},
		{"the same as a function", "gpt-4o", `{"messages":[{"role":"user",` + hello + `}],"functions":[{"name":"weather","parameters":{"properties":{"city":{"type":"string"}}}}]}`, 2 + 4 + 3 + shown + 9 - 1},
		{"a call", "gpt-4o", `{"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"call_0123456789","type":"function","function":{"name":"weather","arguments":"{}"}}]},{"role":"tool","tool_call_id":"call_0123456789","name":"weather",` + hello + `}]}`, 2*1 + 1 + 5 + 2 + 8 + 3},
		{"calls in parallel", "gpt-4o", `{"messages":[{"role":"assistant","tool_calls":[{"function":{"name":"weather","arguments":"{}"}},{"function":{"name":"weather","arguments":"{}"}}]}]}`, 2*(2*1+1+5) + 17 + 4 + 3},
		{"a JSON object as format costs nothing", "gpt-4o", `{"response_format":{"type":"json_object"},"messages":[{"role":"user",` + hello + `}]}`, 2 + 4 + 3},
		{"a schema", "gpt-4o", `{"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{ "type" : "object" }}},"messages":[]}`, 3 + 3 + tokensOf(t, "o200k_base", `{"type":"object"}`)},
		{"a completion", "gpt-3.5-turbo-instruct", `{"prompt":"hello world"}`, 2},
		{"completions", "davinci-002", `{"prompt":["hello world","hello world"],"suffix":"hello world"}`, 6},
		{"a completion of tokens", "davinci-002", `{"prompt":[1,2,3]}`, 3},
		{"an old model", "text-davinci-003", `{"prompt":"hello world"}`, 2},
		{"embeddings", "text-embedding-3-small", `{"input":["hello world",[1,2],"hello world"]}`, 6},
		{"no messages", "gpt-4o", `{}`, 0},
		{"what is not a message", "gpt-4o", `{"messages":"hello world"}`, 0},
		{"a template with a system prompt", "meta-llama/Llama-3.3-70B-Instruct", `{"messages":[{"role":"user",` + hello + `}]}`, 2 + 30 + 5},
		{"which another replaces", "llama-3.3-70b", `{"messages":[{"role":"system",` + hello + `}]}`, 2 + 30},
		{"thoughts that are left out", "deepseek/deepseek-r1", `{"messages":[{"role":"assistant","content":"<think>long thoughts</think>hello world"}]}`, 2 + 4},
		{"the same as Go writes it", "deepseek-r1", `{"messages":[{"role":"assistant","content":"\u003cthink\u003elong\u003c/think\u003ehello world"}]}`, 2 + 4},
		{"a model that is told to think", "claude-sonnet-4-5", `{"thinking":{"type":"enabled"},"messages":[{"role":"user",` + hello + `}]}`, 2 + 4 + 3 + 28},
		{"and is not", "claude-sonnet-4-5", `{"thinking":{"type":"disabled"},"messages":[{"role":"user",` + hello + `}]}`, 2 + 4 + 3},
		{"hidden text", "venice/qwen3-5-9b", `{"messages":[{"role":"user",` + hello + `}]}`, 2 + 1560 + 5},
	} {
		e, err := Count(OpenAI, c.model, []byte(c.body))
		if err != nil || e.Tokens != c.want {
			t.Errorf("%s: %d tokens, %v; want %d", c.name, e.Tokens, err, c.want)
		}
		if e.Bounded != (e.Most > 0) && c.want > 0 || e.Bounded && e.Most < e.Tokens {
			t.Errorf("%s: %+v", c.name, e)
		}
	}
}

func TestBasis(t *testing.T) {
	t.Parallel()
	user := func(content string) string { return `{"messages":[{"role":"user","content":` + content + `}]}` }
	const tool = `"tools":[{"type":"function","function":{"name":"f","parameters":{}}}]`
	image := func(url string) string {
		return user(`[{"type":"text","text":"hi"},{"type":"image_url","image_url":{"url":"` + url + `"}}]`)
	}
	for _, c := range []struct {
		name, model, body string
		basis             Basis
		bounded           bool
		kind              Kind
	}{
		{"OpenAI", "gpt-4o", user(`"hi"`), Exact, true, Plain},
		{"OpenAI with tools", "gpt-4o", `{` + tool + `}`, Exact, true, Tools},
		{"another vocabulary", "claude-sonnet-4-5", user(`"hi"`), Estimated, true, Plain},
		{"a hidden preamble", "claude-sonnet-4-5", `{` + tool + `}`, Estimated, false, Tools},
		{"a hidden system prompt", "venice/mistral-small", user(`"hi"`), Estimated, false, Plain},
		{"several models", "groq/compound-beta", user(`"hi"`), Estimated, false, Plain},
		{"an unknown model", "frobnicator-9", user(`"hi"`), Estimated, false, Plain},
		{"a search", "gpt-4o", `{"web_search_options":{},"messages":[]}`, Estimated, false, Plain},
		{"a search as a tool", "gpt-4o", `{"tools":[{"type":"web_search_preview"}]}`, Estimated, false, Tools},
		{"a preset", "openai/gpt-4o", `{"preset":"comedian","messages":[]}`, Estimated, false, Plain},
		{"an image", "gpt-4o", image(dataURL(pngHead(512, 512))), Estimated, true, Media},
		{"an image at a model that bills them otherwise", "gpt-5.4", image(dataURL(pngHead(512, 512))), Estimated, false, Media},
		{"an image behind a link", "gpt-4o", image("https://example.com/a.png"), Bounded, true, Media},
		{"an image that nobody measured", "deepseek-chat", image("https://example.com/a.png"), Bounded, false, Media},
		{"a file", "gpt-4o", user(`[{"type":"file","file":{"file_id":"x"}}]`), Estimated, false, Media},
	} {
		e, err := Count(OpenAI, c.model, []byte(c.body))
		if err != nil || e.Basis != c.basis || e.Bounded != c.bounded || e.Kind != c.kind || e.Band <= 0 || e.Family == "" {
			t.Errorf("%s: %+v, %v", c.name, e, err)
		}
	}
}

func TestCountRefuses(t *testing.T) {
	t.Parallel()
	for _, body := range []string{``, `[]`, `"text"`, `null`} {
		if _, err := Count(OpenAI, "gpt-4o", []byte(body)); !errors.Is(err, ErrNotRequest) {
			t.Errorf("%q: %v", body, err)
		}
	}
	var syntax *jsonwalk.SyntaxError
	for _, body := range []string{`{`, `{"messages":[{"content":"secret}`, `{"model":"a"}}`, `{"messages":[}`} {
		if _, err := Count(OpenAI, "gpt-4o", []byte(body)); !errors.As(err, &syntax) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestCountUpTo(t *testing.T) {
	t.Parallel()
	body, err := json.Marshal(object{"messages": []object{{"role": "user", "content": strings.Repeat("hello world ", 1000)}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, model := range []string{"gpt-4o", "claude-sonnet-4-5", "mistral-large", "unknown"} {
		whole, err := Count(OpenAI, model, body)
		if err != nil {
			t.Fatal(err)
		}
		for _, limit := range []int64{math.MinInt64, -1, 0, 1, 100, whole.Tokens - 1, whole.Tokens, whole.Tokens + 1, math.MaxInt64 - 1, math.MaxInt64} {
			e, fits, err := CountUpTo(OpenAI, model, body, limit)
			if err != nil || fits != (whole.Tokens <= limit) {
				t.Errorf("%s up to %d: %+v, fits %v, %v", model, limit, e, fits, err)
			}
			if fits && e != whole || !fits && (e.Tokens <= limit || e.Bounded) {
				t.Errorf("%s up to %d: %+v", model, limit, e)
			}
		}
	}
}

// TestCountUpToStops looks at a body that is broken behind the place where counting may stop.
func TestCountUpToStops(t *testing.T) {
	t.Parallel()
	body := `{"messages":[{"content":"` + strings.Repeat("hello world ", 1000) + `"},` + strings.Repeat(`{"content":"x"},`, 10) + `broken`
	if _, fits, err := CountUpTo(OpenAI, "gpt-4o", []byte(body), 100); fits || err != nil {
		t.Errorf("fits %v, %v", fits, err)
	}
}

// TestCountConcurrently shares the counters that are kept.
func TestCountConcurrently(t *testing.T) {
	t.Parallel()
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			body := []byte(`{"messages":[{"content":"` + strings.Repeat(`a\nb `, i*1000) + `"}]}`)
			want, _ := Count(OpenAI, "gpt-4o", body)
			for range 20 {
				if e, err := Count(OpenAI, "gpt-4o", body); err != nil || e != want {
					t.Errorf("%+v, %v", e, err)
				}
			}
		}()
	}
	wait.Wait()
}

// TestTallyInPieces counts texts that pass through the buffer and compares with counts of the whole.
func TestTallyInPieces(t *testing.T) {
	t.Parallel()
	piece := rapid.SampledFrom([]string{"hello", " ", "  ", "\n", "\r\n", " world", "'s", ".", "!!", "\t", "123", "é", "語", "😀", "\"", "\\",
		strings.Repeat("x", 900), strings.Repeat(" y", 700), strings.Repeat("字", 300), strings.Repeat(" ", 500), strings.Repeat("?!\n", 400)})
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		for _, p := range rapid.SliceOfN(piece, 1, 60).Draw(t, "pieces") {
			b.WriteString(p)
		}
		text := strings.Repeat(b.String(), rapid.IntRange(1, 4).Draw(t, "times"))
		raw, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"o200k_base", "cl100k_base", "p50k_base"} {
			encoding, err := (&family{encoding: name}).vocabulary()
			if err != nil {
				t.Fatal(err)
			}
			var c tally
			c.start(encoding, math.MaxInt64)
			if n := c.add(raw[1:len(raw)-1], true); n != int64(encoding.Count(text)) || c.bytes != int64(len(text)) {
				t.Fatalf("%s: %d tokens and %d bytes, want %d and %d", name, n, c.bytes, encoding.Count(text), len(text))
			}
		}
	})
}

// TestTallyBuffer sees to it that the buffer does not grow with the text.
func TestTallyBuffer(t *testing.T) {
	t.Parallel()
	encoding, err := (&family{encoding: "o200k_base"}).vocabulary()
	if err != nil {
		t.Fatal(err)
	}
	var c tally
	c.start(encoding, math.MaxInt64)
	c.add([]byte(strings.Repeat(`line of text\n`, 1<<18)), true)
	if cap(c.buf) > 8*chunkSize {
		t.Errorf("the buffer has %d bytes", cap(c.buf))
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ got, want string }{
		{Exact.String(), "exact"}, {Estimated.String(), "estimated"}, {Bounded.String(), "bounded"},
		{Plain.String(), "plain"}, {Tools.String(), "tools"}, {Media.String(), "media"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
