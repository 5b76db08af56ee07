package usage_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/usage"
)

// answerWith is an answer with what a usage object says.
func answerWith(object string) *wire.Answer {
	a := &wire.Answer{}
	if read, ok := usage.Read([]byte(object)); ok {
		read.Tell(a)
		a.ServiceTier = read.ServiceTier()
	}
	return a
}

// usages are usage objects with what they come to. Contradictory ones come last.
var usages = []struct {
	name, usage   string
	want          wire.Usage // without Requests
	contradictory bool
}{
	{"plain", `{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}`, wire.Usage{Input: 10, Output: 5}, false},
	{"null details", `{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":null,"completion_tokens_details":null}`,
		wire.Usage{Input: 10, Output: 5}, false},
	{"nulls in details", `{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":null},"reasoning_tokens":null}`,
		wire.Usage{Input: 10, Output: 5}, false},
	{"floats and texts", `{"prompt_tokens":10.0,"completion_tokens":"5","total_tokens":1.5e1}`, wire.Usage{Input: 10, Output: 5}, false},
	{"total first", `{"total_tokens":15,"completion_tokens":5,"prompt_tokens":10}`, wire.Usage{Input: 10, Output: 5}, false},

	{"cached", `{"prompt_tokens":100,"completion_tokens":5,"total_tokens":105,"prompt_tokens_details":{"cached_tokens":80}}`,
		wire.Usage{Input: 20, CacheRead: 80, Output: 5}, false},
	{"cached at the top: Together", `{"prompt_tokens":100,"completion_tokens":5,"total_tokens":105,"cached_tokens":80}`,
		wire.Usage{Input: 20, CacheRead: 80, Output: 5}, false},
	{"DeepSeek: hit, miss and cached", `{"prompt_tokens":100,"completion_tokens":5,"total_tokens":105,"prompt_tokens_details":{"cached_tokens":64},
		"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":36}`, wire.Usage{Input: 36, CacheRead: 64, Output: 5}, false},
	{"DeepSeek: only the halves", `{"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":36,"completion_tokens":5}`,
		wire.Usage{Input: 36, CacheRead: 64, Output: 5}, false},
	{"old Mistral", `{"prompt_tokens":100,"completion_tokens":5,"total_tokens":105,"num_cached_tokens":64}`,
		wire.Usage{Input: 36, CacheRead: 64, Output: 5}, false},
	{"LiteLLM: Anthropic's names beside prompt_tokens", `{"prompt_tokens":100,"completion_tokens":5,"total_tokens":105,
		"cache_read_input_tokens":60,"cache_creation_input_tokens":30,"prompt_tokens_details":{"cached_tokens":60,"cache_creation_tokens":30}}`,
		wire.Usage{Input: 10, CacheRead: 60, CacheWrite: 30, Output: 5}, false},
	{"the same with the cache outside, as its total says", `{"prompt_tokens":10,"completion_tokens":5,"total_tokens":105,
		"cache_read_input_tokens":60,"cache_creation_input_tokens":30}`, wire.Usage{Input: 10, CacheRead: 60, CacheWrite: 30, Output: 5}, false},
	{"Anthropic's own names", `{"input_tokens":10,"output_tokens":5,"cache_read_input_tokens":60,"cache_creation_input_tokens":30,
		"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20}}`,
		wire.Usage{Input: 10, CacheRead: 60, CacheWrite: 10, CacheWrite1h: 20, Output: 5}, false},
	{"Anthropic's own names with a total of all", `{"input_tokens":10,"output_tokens":5,"cache_read_input_tokens":60,"total_tokens":75}`,
		wire.Usage{Input: 10, CacheRead: 60, Output: 5}, false},
	{"Anthropic's own names with a total of two", `{"input_tokens":10,"output_tokens":5,"cache_read_input_tokens":60,"total_tokens":15}`,
		wire.Usage{Input: 10, CacheRead: 60, Output: 5}, false},
	{"input_tokens with details", `{"input_tokens":100,"output_tokens":5,"total_tokens":105,"input_tokens_details":{"cached_tokens":60},
		"output_tokens_details":{"reasoning_tokens":3}}`, wire.Usage{Input: 40, CacheRead: 60, Output: 2, Reasoning: 3}, false},
	{"cache write", `{"prompt_tokens":1220,"completion_tokens":100,"total_tokens":1320,"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":1217}}`,
		wire.Usage{Input: 3, CacheWrite: 1217, Output: 100}, false},
	{"lives", `{"prompt_tokens":100,"completion_tokens":1,"total_tokens":101,"cache_creation_input_tokens":60,
		"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20,"ephemeral_24h_input_tokens":30}}`,
		wire.Usage{Input: 40, CacheWrite: 10, CacheWrite1h: 50, Output: 1}, false},

	{"reasoning inside", `{"prompt_tokens":10,"completion_tokens":50,"total_tokens":60,"completion_tokens_details":{"reasoning_tokens":40}}`,
		wire.Usage{Input: 10, Output: 10, Reasoning: 40}, false},
	{"reasoning at the top, inside", `{"prompt_tokens":10,"completion_tokens":50,"total_tokens":60,"reasoning_tokens":40}`,
		wire.Usage{Input: 10, Output: 10, Reasoning: 40}, false},
	{"reasoning at the top, no total", `{"prompt_tokens":10,"completion_tokens":50,"reasoning_tokens":40}`,
		wire.Usage{Input: 10, Output: 10, Reasoning: 40}, false},
	{"xAI: reasoning outside", `{"prompt_tokens":10,"completion_tokens":5,"total_tokens":55,"completion_tokens_details":{"reasoning_tokens":40}}`,
		wire.Usage{Input: 10, Output: 5, Reasoning: 40}, false},
	{"xAI: its own names, no total", `{"prompt_tokens":189,"prompt_text_tokens":189,"cached_prompt_text_tokens":128,"completion_tokens":11,"reasoning_tokens":5}`,
		wire.Usage{Input: 61, CacheRead: 128, Output: 11, Reasoning: 5}, false},
	{"Gemini: the excess is reasoning", `{"prompt_tokens":12,"completion_tokens":35,"total_tokens":109}`,
		wire.Usage{Input: 12, Output: 35, Reasoning: 62}, false},
	{"the same with a part of it stated", `{"prompt_tokens":12,"completion_tokens":35,"total_tokens":109,"completion_tokens_details":{"reasoning_tokens":20}}`,
		wire.Usage{Input: 12, Output: 35, Reasoning: 62}, false},
	{"reasoning and cache outside", `{"prompt_tokens":10,"completion_tokens":5,"total_tokens":115,"reasoning_tokens":40,"cache_read_input_tokens":60}`,
		wire.Usage{Input: 10, CacheRead: 60, Output: 5, Reasoning: 40}, false},
	{"Perplexity: deep research", `{"prompt_tokens":33,"completion_tokens":11395,"total_tokens":11428,"citation_tokens":19028,"num_search_queries":21,
		"reasoning_tokens":193947}`, wire.Usage{Input: 33, Output: 11395, Reasoning: 193947, Citation: 19028, WebSearches: 21}, false},
	{"Perplexity: citations in the total", `{"prompt_tokens":10,"completion_tokens":5,"total_tokens":115,"citation_tokens":100}`,
		wire.Usage{Input: 10, Output: 5, Citation: 100}, false},

	{"audio", `{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,"prompt_tokens_details":{"audio_tokens":30,"cached_tokens":40,
		"cached_tokens_details":{"audio_tokens":10}},"completion_tokens_details":{"audio_tokens":45}}`,
		wire.Usage{Input: 40, CacheRead: 30, AudioInput: 20, AudioCacheRead: 10, Output: 5, AudioOutput: 45}, false},
	{"Mistral: audio outside", `{"prompt_tokens":11,"completion_tokens":15,"total_tokens":401,"prompt_tokens_details":{"audio_tokens":375,"cached_tokens":9}}`,
		wire.Usage{Input: 2, CacheRead: 9, AudioInput: 375, Output: 15}, false},
	{"image, video, image out", `{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,"prompt_tokens_details":{"image_tokens":30,"video_tokens":20},
		"completion_tokens_details":{"image_tokens":40}}`, wire.Usage{Input: 50, ImageInput: 30, VideoInput: 20, Output: 10, ImageOutput: 40}, false},
	{"cached images", `{"prompt_tokens":100,"completion_tokens":1,"total_tokens":101,"prompt_tokens_details":{"cached_tokens":90,"image_tokens":60}}`,
		wire.Usage{CacheRead: 90, ImageInput: 10, Output: 1}, false},
	{"cached audio, not said how much", `{"prompt_tokens":100,"completion_tokens":1,"total_tokens":101,"prompt_tokens_details":{"cached_tokens":90,"audio_tokens":60}}`,
		wire.Usage{CacheRead: 40, AudioInput: 10, AudioCacheRead: 50, Output: 1}, false},
	{"web searches", `{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"server_tool_use_details":{"web_search_requests":2,"tool_calls_requested":2}}`,
		wire.Usage{Input: 10, Output: 5, WebSearches: 2}, false},
	{"xAI: its tools", `{"prompt_tokens":10,"prompt_text_tokens":10,"completion_tokens":5,"server_side_tools_used":["SERVER_SIDE_TOOL_WEB_SEARCH",
		"SERVER_SIDE_TOOL_WEB_SEARCH","SERVER_SIDE_TOOL_COLLECTIONS_SEARCH"]}`,
		wire.Usage{Input: 10, Output: 5, WebSearches: 2, Units: map[string]int64{"tool_call/collections_search": 1}}, false},
	{"realtime: cached images", `{"input_tokens":100,"output_tokens":1,"input_token_details":{"text_tokens":40,"image_tokens":60,"cached_tokens":70,
		"cached_tokens_details":{"text_tokens":20,"image_tokens":50}}}`, wire.Usage{Input: 20, CacheRead: 20, ImageInput: 10, ImageCacheRead: 50, Output: 1}, false},
	{"embeddings", `{"prompt_tokens":10,"total_tokens":10}`, wire.Usage{Input: 10}, false},
	{"only a total: Voyage", `{"total_tokens":10}`, wire.Usage{Input: 10}, false},
	{"all zero", `{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}`, wire.Usage{}, false},
	{"zero input", `{"prompt_tokens":0,"completion_tokens":180,"total_tokens":180}`, wire.Usage{Output: 180}, false},

	{"cached above prompt", `{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":163}}`,
		wire.Usage{CacheRead: 7, Output: 5}, true},
	{"cached and written above prompt", `{"prompt_tokens":2168,"completion_tokens":100,"total_tokens":2268,"prompt_tokens_details":{"cached_tokens":2161,
		"cache_write_tokens":2161}}`, wire.Usage{Input: 7, CacheRead: 2161, Output: 100, Units: map[string]int64{"cache_write/storage": 2161}}, true},
	{"cached audio above all audio", `{"input_tokens":10,"input_token_details":{"cached_tokens":5,"audio_tokens":1,"cached_tokens_details":{"audio_tokens":2}}}`,
		wire.Usage{Input: 5, CacheRead: 4, AudioCacheRead: 1}, true},
	{"cached audio above all that was cached", `{"input_tokens":10,"input_token_details":{"cached_tokens":1,"audio_tokens":5,"cached_tokens_details":{"audio_tokens":2}}}`,
		wire.Usage{Input: 5, AudioInput: 4, AudioCacheRead: 1}, true},
	{"true for a count", `{"prompt_tokens":10,"completion_tokens":true,"total_tokens":10}`, wire.Usage{Input: 10}, true},
	{"reasoning above completion", `{"prompt_tokens":43,"completion_tokens":10,"total_tokens":53,"completion_tokens_details":{"reasoning_tokens":11}}`,
		wire.Usage{Input: 43, Reasoning: 10}, true},
	{"reasoning above completion, no total", `{"prompt_tokens":43,"completion_tokens":10,"reasoning_tokens":11}`,
		wire.Usage{Input: 43, Output: 10, Reasoning: 11}, true},
	{"reasoning above the excess", `{"prompt_tokens":10,"completion_tokens":50,"total_tokens":70,"reasoning_tokens":40}`,
		wire.Usage{Input: 10, Output: 20, Reasoning: 40}, true},
	{"total below the parts", `{"prompt_tokens":10,"completion_tokens":5,"total_tokens":12}`, wire.Usage{Input: 7, Output: 5}, true},
	{"total zero beside parts", `{"prompt_tokens":10,"completion_tokens":5,"total_tokens":0}`, wire.Usage{Input: 10, Output: 5}, true},
	{"negative", `{"prompt_tokens":-10,"completion_tokens":5,"total_tokens":15}`, wire.Usage{Input: 10, Output: 5}, true},
	{"fraction", `{"prompt_tokens":10.5,"completion_tokens":5}`, wire.Usage{Input: 11, Output: 5}, true},
	{"absurd", `{"prompt_tokens":1e300,"completion_tokens":5,"total_tokens":25}`, wire.Usage{Input: 20, Output: 5}, true},
	{"NaN", `{"prompt_tokens":NaN,"completion_tokens":5,"total_tokens":25}`, wire.Usage{Input: 20, Output: 5}, true},
	{"images above prompt", `{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"image_tokens":30}}`,
		wire.Usage{ImageInput: 10, Output: 5}, true},
	{"audio above completion", `{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"completion_tokens_details":{"audio_tokens":7,"reasoning_tokens":2}}`,
		wire.Usage{Input: 10, AudioOutput: 5}, true},
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, c := range usages {
		c.want.Requests = 1
		a := answerWith(c.usage)
		if !a.UsageSeen || !reflect.DeepEqual(a.Usage, c.want) || a.Contradictory != c.contradictory {
			t.Errorf("%s:\n got %+v, contradictory %v\nwant %+v", c.name, a.Usage, a.Contradictory, c.want)
		}
		if string(a.RawUsage) != c.usage {
			t.Errorf("%s: raw usage %s", c.name, a.RawUsage)
		}
	}
}

func TestNoUsage(t *testing.T) {
	t.Parallel()
	for _, usage := range []string{`null`, `{}`, `[]`, `7`, `"x"`, `{"prompt_tokens":null}`, `{"prompt_tokens":-1,"completion_tokens":-1}`, `{"cost":1}`} {
		if a := answerWith(usage); a.UsageSeen || !reflect.DeepEqual(a.Usage, wire.Usage{}) {
			t.Errorf("%s: %+v", usage, a)
		}
	}
}

// TestUsageInvariants draws usages, possible and impossible: no count is ever negative, and the sum is what the
// total says wherever there is a total that says something.
func TestUsageInvariants(t *testing.T) {
	t.Parallel()
	count := rapid.OneOf(rapid.Int64Range(0, 20), rapid.Int64Range(0, 1<<50), rapid.Just[int64](-3))
	rapid.Check(t, func(t *rapid.T) {
		usage := map[string]any{"prompt_tokens": rapid.Int64Range(0, 40).Draw(t, "p"), "completion_tokens": rapid.Int64Range(0, 40).Draw(t, "c")}
		some := func(into map[string]any, names ...string) {
			for _, name := range names {
				if rapid.Bool().Draw(t, "has "+name) {
					into[name] = count.Draw(t, name)
				}
			}
		}
		in, out, creation := map[string]any{}, map[string]any{}, map[string]any{}
		some(usage, "total_tokens", "reasoning_tokens", "cached_tokens", "cache_creation_input_tokens", "num_search_queries")
		some(in, "cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens", "video_tokens")
		some(out, "reasoning_tokens", "audio_tokens", "image_tokens")
		some(creation, "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens", "ephemeral_24h_input_tokens")
		usage["prompt_tokens_details"], usage["completion_tokens_details"], usage["cache_creation"] = in, out, creation
		raw, err := json.Marshal(usage)
		if err != nil {
			t.Fatal(err)
		}
		a := answerWith(string(raw))
		for i, n := range kinds(&a.Usage) {
			if n < 0 {
				t.Fatalf("%s: count %d is %d", raw, i, n)
			}
		}
		total, stated := usage["total_tokens"].(int64)
		if sum := a.Usage.InputTokens() + a.Usage.OutputTokens(); stated && total > 0 && sum != total {
			t.Fatalf("%s: the sum is %d: %+v", raw, sum, a.Usage)
		}
	})
}

func TestCost(t *testing.T) {
	t.Parallel()
	reported := func(literal string, exponent int, field string) wire.ReportedCost {
		return wire.ReportedCost{Literal: literal, Exponent: exponent, Field: field}
	}
	none := wire.ReportedCost{}
	const upstream = "usage.cost_details.upstream_inference_cost"
	for _, c := range []struct {
		name, members string
		want, up      wire.ReportedCost
	}{
		{"none", ``, none, none},
		{"OpenRouter", `,"cost":4.1400000000000003e-05`, reported("4.1400000000000003e-05", 0, "usage.cost"), none},
		{"zero", `,"cost":0`, reported("0", 0, "usage.cost"), none},
		{"null", `,"cost":null`, none, none},
		{"text", `,"cost":"0.001"`, reported("0.001", 0, "usage.cost"), none},
		{"no number", `,"cost":"free","estimated_cost":NaN`, none, none},
		{"Vercel", `,"market_cost":3,"cost":2,"is_byok":false`, reported("2", 0, "usage.cost"), none},
		{"Perplexity", `,"cost":{"input_tokens_cost":1e-05,"total_cost":0.00501,"request_cost":0.005}`,
			reported("0.00501", 0, "usage.cost.total_cost"), none},
		{"other currency", `,"cost":{"total_cost":1,"currency":"EUR"}`, none, none},
		{"dollars", `,"cost":{"currency":"usd","total_cost":1}`, reported("1", 0, "usage.cost.total_cost"), none},
		{"xAI", `,"cost_in_usd_ticks":77397500`, reported("77397500", -10, "usage.cost_in_usd_ticks"), none},
		{"xAI, text", `,"cost_in_usd_ticks":"1043500"`, reported("1043500", -10, "usage.cost_in_usd_ticks"), none},
		{"Hugging Face", `,"estimated_cost":0.00000107`, reported("0.00000107", 0, "usage.estimated_cost"), none},
		{"Pydantic gateway", `,"pydantic_ai_gateway":{"cost_estimate":3.11e-05}`,
			reported("3.11e-05", 0, "usage.pydantic_ai_gateway.cost_estimate"), none},
		{"charge before estimate", `,"estimated_cost":9,"cost":1`, reported("1", 0, "usage.cost"), none},
		{"own key", `,"cost":0,"is_byok":true,"cost_details":{"upstream_inference_cost":0.00417,"upstream_inference_prompt_cost":7e-05}`,
			reported("0", 0, "usage.cost"), reported("0.00417", 0, upstream)},
		{"own key, parts", `,"cost":0,"is_byok":true,"cost_details":{"upstream_inference_cost":null,"upstream_inference_prompt_cost":7e-05,
			"upstream_inference_completions_cost":0.0041}`, reported("0", 0, "usage.cost"), reported("417e-5", 0, upstream)},
		{"own key, one part", `,"cost":0,"is_byok":true,"cost_details":{"upstream_inference_input_cost":7e-05}`,
			reported("0", 0, "usage.cost"), reported("7e-05", 0, upstream)},
		{"own key, nothing", `,"cost":0,"is_byok":true,"cost_details":null`, reported("0", 0, "usage.cost"), none},
		{"own key, out of proportion", `,"is_byok":true,"cost_details":{"upstream_inference_prompt_cost":1e999999999,"upstream_inference_completions_cost":1}`,
			none, none},
		{"no own key", `,"cost":3.6e-06,"is_byok":false,"cost_details":{"upstream_inference_cost":3.6e-06}`,
			reported("3.6e-06", 0, "usage.cost"), none},
	} {
		a := answerWith(`{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2` + c.members + `}`)
		if a.Reported != c.want || a.Upstream != c.up || a.Contradictory {
			t.Errorf("%s: %+v, upstream %+v", c.name, a.Reported, a.Upstream)
		}
		if a.BYOK != strings.Contains(c.members, `"is_byok":true`) {
			t.Errorf("%s: own key %v", c.name, a.BYOK)
		}
	}
	if a := answerWith(`{"prompt_tokens":1,"cost":-0.5}`); a.Reported.Literal != "" || !a.Contradictory {
		t.Errorf("a negative cost: %+v", a)
	}
}

// TestUpstreamSum adds the two parts and compares with exact fractions.
func TestUpstreamSum(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		figure := rapid.Custom(func(t *rapid.T) string {
			text := fmt.Sprint(rapid.Int64Range(0, 1<<40).Draw(t, "whole"))
			if rapid.Bool().Draw(t, "point") {
				text += fmt.Sprintf(".%09d", rapid.IntRange(0, 999999999).Draw(t, "fraction"))
			}
			if rapid.Bool().Draw(t, "power") {
				text += fmt.Sprintf("e%+d", rapid.IntRange(-30, 5).Draw(t, "exponent"))
			}
			return text
		})
		a, b := figure.Draw(t, "a"), figure.Draw(t, "b")
		got := answerWith(fmt.Sprintf(`{"prompt_tokens":1,"is_byok":true,"cost_details":{"upstream_inference_prompt_cost":%s,
			"upstream_inference_completions_cost":%s}}`, a, b)).Upstream
		sum := rat(a)
		if sum.Add(sum, rat(b)).Cmp(rat(got.Literal)) != 0 {
			t.Fatalf("%s + %s = %s", a, b, got.Literal)
		}
	})
}

func TestCostInHeaders(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{"4.25e-05": "4.25e-05", " 0 ": "0", "None": "", "": "", "-1": "", "0x1": ""} {
		h, a := http.Header{}, wire.Answer{}
		h.Set("X-LiteLLM-Response-Cost", value)
		usage.CostInHeaders(&wire.Request{}, h, &a)
		if got := a.Reported; got.Literal != want || got.Exponent != 0 || (got.Field != "") != (want != "") {
			t.Errorf("%q: %+v", value, got)
		}
	}
	stated := wire.Answer{Reported: wire.ReportedCost{Literal: "1", Field: "usage.cost"}}
	usage.CostInHeaders(&wire.Request{}, http.Header{"X-Litellm-Response-Cost": {"2"}}, &stated)
	usage.CostInHeaders(&wire.Request{}, nil, &stated)
	if got := stated.Reported; got.Literal != "1" {
		t.Errorf("the answer's own figure gave way to %+v", got)
	}
	streamed := wire.Answer{}
	usage.CostInHeaders(&wire.Request{Stream: true}, http.Header{"X-Litellm-Response-Cost": {"2"}}, &streamed)
	usage.CostInHeaders(&wire.Request{}, http.Header{"Content-Type": {"text/event-stream"}, "X-Litellm-Response-Cost": {"2"}}, &streamed)
	if got := streamed.Reported; got.Literal != "" {
		t.Errorf("the head of a stream gave %+v", got)
	}
}

func kinds(u *wire.Usage) []int64 {
	return []int64{u.Input, u.CacheRead, u.CacheWrite, u.CacheWrite1h, u.AudioInput, u.AudioCacheRead, u.ImageInput,
		u.ImageCacheRead, u.VideoInput, u.Output, u.Reasoning, u.AudioOutput, u.ImageOutput, u.VideoOutput, u.Citation, u.WebSearches, u.Requests}
}

// rat is the exact value of a JSON number.
func rat(literal string) *big.Rat {
	figure, _ := new(big.Rat).SetString(literal)
	return figure
}

func FuzzUsage(f *testing.F) {
	f.Add([]byte(`{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":163}}`))
	f.Add([]byte(`{"input_tokens":1e3,"cache_read_input_tokens":"7","cost":{"total_cost":1}}`))
	f.Add([]byte(`{"total_tokens":9007199254740992,"reasoning_tokens":1.5,"is_byok":true,"cost_details":{"upstream_inference_prompt_cost":1e-5}}`))
	f.Fuzz(func(t *testing.T, usage []byte) {
		a := answerWith(string(usage))
		for i, n := range kinds(&a.Usage) {
			if n < 0 {
				t.Fatalf("%s: count %d is %d", usage, i, n)
			}
		}
		for _, c := range []wire.ReportedCost{a.Reported, a.Upstream} {
			if c.Literal != "" && (!json.Valid([]byte(c.Literal)) || c.Literal[0] == '-') {
				t.Fatalf("%s: %+v", usage, c)
			}
		}
	})
}
