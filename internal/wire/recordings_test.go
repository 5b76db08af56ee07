package wire_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/bedrock"
	"github.com/farebox-go/farebox/internal/wire/cohere"
	"github.com/farebox-go/farebox/internal/wire/gemini"
	"github.com/farebox-go/farebox/internal/wire/rerank"
	"github.com/farebox-go/farebox/internal/wire/wiretest"
	"github.com/farebox-go/farebox/internal/wire/xai"
)

// stated is a usage as a provider states it, brought into sums by the test's own reading.
type stated struct{ input, output, cached, written, units int64 }

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

// dialect is how the exchanges of an API are read, and what the index's usage says by the provider's own documentation;
// nil where the API is free.
type dialect struct {
	format wire.Format
	stated func(u map[string]any) stated
}

var dialects = map[string]dialect{
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
	"cohere.chat":     {cohere.Format{}, statedByCohere},
	"cohere.generate": {cohere.Format{}, statedByCohere},
	"cohere.embed":    {cohere.Format{}, statedByCohere},
	"cohere.rerank":   {rerank.Format{}, statedByCohere},
	"xai.grpc_chat": {xai.Format{}, func(u map[string]any) (s stated) {
		s.input = number(u, "prompt_tokens")
		s.output = number(u, "completion_tokens") + number(u, "reasoning_tokens")
		s.cached = min(number(u, "cached_prompt_text_tokens"), s.input)
		tools, _ := u["server_side_tools_used"].([]any)
		for _, tool := range tools {
			if tool != "SERVER_SIDE_TOOL_WEB_SEARCH" {
				s.units++
			}
		}
		return s
	}},
	"bedrock.converse":     {bedrock.Format{}, statedByBedrock},
	"bedrock.invoke":       {bedrock.Format{}, statedByBedrock},
	"bedrock.count_tokens": {bedrock.Format{}, nil},
	"rerank":               {rerank.Format{}, func(u map[string]any) stated { return stated{input: number(u, "total_tokens")} }},
}

func statedByGemini(u map[string]any) stated {
	return stated{
		input:  number(u, "promptTokenCount") + number(u, "toolUsePromptTokenCount"),
		output: number(u, "candidatesTokenCount") + number(u, "thoughtsTokenCount"),
		cached: number(u, "cachedContentTokenCount"),
	}
}

func statedByCohere(u map[string]any) stated {
	return stated{
		input:  number(u, "billed_units.input_tokens") + number(u, "billed_units.image_tokens"),
		output: number(u, "billed_units.output_tokens"),
		units:  number(u, "billed_units.search_units") + number(u, "billed_units.images"),
	}
}

// statedByBedrock: the words of converse, of a maker, or of the metrics that are added at the end.
func statedByBedrock(u map[string]any) (s stated) {
	any := func(names ...string) int64 {
		for _, name := range names {
			if n := number(u, name); n != 0 {
				return n
			}
		}
		return 0
	}
	const metrics = "amazon-bedrock-invocationMetrics."
	s.cached = any("cacheReadInputTokens", "cacheReadInputTokenCount", "cache_read_input_tokens")
	s.written = any("cacheWriteInputTokens", "cacheWriteInputTokenCount", "cache_creation_input_tokens")
	s.input = s.cached + s.written + any("inputTokens", "inputTokenCount", "input_tokens", "prompt_tokens", "inputTextTokenCount", "prompt_token_count", metrics+"inputTokenCount")
	s.output = any("outputTokens", "outputTokenCount", "output_tokens", "completion_tokens", "totalOutputTextTokenCount", "outputTextTokenCount", "generation_token_count", metrics+"outputTokenCount")
	if _, cut := u["outputTextTokenCount"]; !cut && u["inputTextTokenCount"] != nil {
		s.output = unknown // the index has only half of what Titan states in a stream
	}
	return s
}

const unknown = -1

// TestRecordings reads every recorded exchange of the APIs above, whole and in pieces.
func TestRecordings(t *testing.T) {
	t.Parallel()
	for _, api := range slices.Sorted(maps.Keys(dialects)) {
		t.Run(api, func(t *testing.T) {
			t.Parallel()
			how := dialects[api]
			all := wiretest.Recorded(t, api)
			usages, read, rest := 0, 0, 0
			for _, x := range all {
				route, q := x.ReadRequest(t, how.format)
				if (how.stated == nil) != (route.Billing == wire.Free) {
					t.Errorf("%s: billing %d", x.Name(), route.Billing)
				}
				if route.Billing == wire.Free || x.Status >= 300 {
					rest++
				}
				if route.Billing == wire.Free {
					continue
				}
				checkRequest(t, x, &q)
				a := x.Check(t, how.format, &q)
				if x.Status < 300 && string(x.Usage) != "null" {
					usages++
				}
				if a.UsageSeen {
					read++
				}
				if x.Status < 300 {
					checkAnswer(t, x, a, how.stated)
				}
			}
			t.Logf("%d exchanges, %d with a usage, %d read, %d free or refused", len(all), usages, read, rest)
		})
	}
}

func checkRequest(t *testing.T, x *wiretest.Exchange, q *wire.Request) {
	t.Helper()
	if x.Asked() == nil {
		return
	}
	if q.TextBytes+q.InputTokens+int64(q.Images+q.Files+q.Videos+q.Audios) == 0 {
		t.Errorf("%s: nothing to read in %.200s", x.Name(), x.Asked())
	}
	if (q.Operation == wire.GenerateContent || q.Operation == wire.Chat) && (q.Messages == 0 || q.Inputs != 1) || q.Choices < 1 {
		t.Errorf("%s: read %+v", x.Name(), q)
	}
}

func checkAnswer(t *testing.T, x *wiretest.Exchange, a *wire.Answer, reading func(map[string]any) stated) {
	t.Helper()
	var usage map[string]any
	if err := json.Unmarshal(x.Usage, &usage); err != nil {
		t.Fatal(err)
	}
	if usage == nil && a.UsageSeen && x.API == "bedrock.invoke" {
		checkCounted(t, x, a)
	} else if a.UsageSeen != (usage != nil) {
		t.Errorf("%s: usage seen %v, stated %s", x.Name(), a.UsageSeen, x.Usage)
	}
	if x.Stream && a.FinishReason == "" {
		t.Errorf("%s: no reason to finish", x.Name())
	}
	if usage == nil {
		return
	}
	want := reading(usage)
	u := &a.Usage
	got := stated{u.InputTokens(), u.OutputTokens(), u.CacheRead + u.AudioCacheRead + u.ImageCacheRead, u.CacheWrite + u.CacheWrite1h, 0}
	for _, n := range u.Units {
		got.units += n
	}
	if want.output == unknown {
		want.output = got.output
	}
	if got != want || a.Contradictory && want.input > 0 && number(usage, "cached_prompt_text_tokens") <= want.input {
		t.Errorf("%s: read %+v (contradictory %v), want %+v of %s", x.Name(), got, a.Contradictory, want, x.Usage)
	}
}

// checkCounted checks a usage that no usage object states: of the head, or of what is charged by the piece.
func checkCounted(t *testing.T, x *wiretest.Exchange, a *wire.Answer) {
	t.Helper()
	if len(a.Usage.Units) > 0 && a.Usage.InputTokens()+a.Usage.OutputTokens() == 0 {
		return
	}
	for name, n := range map[string]int64{"Input": a.Usage.Input, "Output": a.Usage.Output} {
		if stated := x.Head().Get("X-Amzn-Bedrock-" + name + "-Token-Count"); stated != strconv.FormatInt(n, 10) && (stated != "" || n != 0) {
			t.Errorf("%s: %s %d, the head says %q", x.Name(), name, n, stated)
		}
	}
}
