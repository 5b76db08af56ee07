package farebox_test

import (
	"encoding/json"
	"testing"

	"github.com/farebox-go/farebox"
)

// makersAPIs are the APIs of providers that have a format of their own.
var makersAPIs = map[string]recordedAPI{
	"gemini.generateContent": {usage: sums(ofGemini)},
	"gemini.embedContent":    {usage: sums(ofGemini)},
	"gemini.countTokens":     {free: true},
	"gemini.interactions":    {usage: sums(ofInteractions)},
	"vertex.predict":         {usage: sums(ofPredict)},
	"bedrock.converse":       {usage: sums(ofBedrock)},
	"bedrock.invoke":         {beside: true, usage: sums(ofBedrock)},
	"bedrock.count_tokens":   {free: true},
	"cohere.chat":            {usage: sums(ofCohere)},
	"cohere.generate":        {usage: sums(ofCohere)},
	"cohere.embed":           {usage: sums(ofCohere)},
	"cohere.rerank":          {usage: sums(ofCohere)},
	"gemini.openai":          {usage: checkUsage},
	"voyageai.embeddings":    {usage: sums(ofTotal)},
	"writer.chat":            {usage: checkUsage},
	"xai.grpc_chat":          {usage: sums(ofXAI)},
	"openrouter.generation":  {followUp: true},
	"huggingface.inference":  {unmetered: true},
	"sagemaker.invoke":       {unmetered: true},
	"alephalpha.complete":    {unmetered: true},
	"rerank":                 {usage: sums(ofTotal)},
}

func init() {
	for api, how := range makersAPIs {
		recordedAPIs[api] = how
	}
}

// consumed is a usage in sums; a sum of -1 is not known.
type consumed struct{ input, output, cached, written, units int64 }

// counts is a usage object as it was written.
type counts map[string]any

// n is the first count of these names that is not 0.
func (c counts) n(names ...string) int64 {
	for _, name := range names {
		if n, _ := c[name].(float64); n != 0 {
			return int64(n)
		}
	}
	return 0
}

func (c counts) inside(name string) counts {
	inner, _ := c[name].(map[string]any)
	return inner
}

// sums checks that a receipt's usage comes to what the provider's words come to.
func sums(reading func(counts) consumed) func(t *testing.T, x *exchange, r *farebox.Receipt) {
	return func(t *testing.T, x *exchange, r *farebox.Receipt) {
		t.Helper()
		var stated counts
		if err := json.Unmarshal(x.usage, &stated); err != nil {
			t.Fatal(err)
		}
		u, want := &r.Usage, reading(stated)
		got := consumed{
			u.InputTokens(), u.OutputTokens(), u.CacheRead + u.AudioCacheRead + u.ImageCacheRead, u.CacheWrite + u.CacheWrite1h, 0,
		}
		for _, n := range u.Units {
			got.units += n
		}
		if want.output < 0 {
			want.output = got.output
		}
		if got != want {
			t.Errorf("read %+v, want %+v of %s", got, want, x.usage)
		}
	}
}

func ofTotal(u counts) consumed { return consumed{input: u.n("total_tokens")} }

// ofXAI: the prompt includes what was cached, at most all of it; reasoning stands beside the completion.
func ofXAI(u counts) consumed {
	tools, _ := u["server_side_tools_used"].([]any)
	units := int64(0)
	for _, tool := range tools {
		if tool != "SERVER_SIDE_TOOL_WEB_SEARCH" {
			units++
		}
	}
	return consumed{
		input: u.n("prompt_tokens"), output: u.n("completion_tokens") + u.n("reasoning_tokens"),
		cached: min(u.n("cached_prompt_text_tokens"), u.n("prompt_tokens")), units: units,
	}
}

func ofGemini(u counts) consumed {
	return consumed{
		input:  u.n("promptTokenCount") + u.n("toolUsePromptTokenCount"),
		output: u.n("candidatesTokenCount") + u.n("thoughtsTokenCount"),
		cached: u.n("cachedContentTokenCount"),
	}
}

func ofInteractions(u counts) consumed {
	return consumed{
		input:  u.n("total_input_tokens") + u.n("total_tool_use_tokens"),
		output: u.n("total_output_tokens") + u.n("total_thought_tokens"),
		cached: u.n("total_cached_tokens"),
	}
}

func ofPredict(u counts) (c consumed) {
	for _, one := range u["statistics"].([]any) {
		c.input += counts(one.(map[string]any)).n("token_count")
	}
	return c
}

// ofBedrock: the words of converse, of a maker, or of the metrics that Bedrock adds at the end of a stream.
func ofBedrock(u counts) (c consumed) {
	metrics := u.inside("amazon-bedrock-invocationMetrics")
	c.cached = u.n("cacheReadInputTokens", "cacheReadInputTokenCount", "cache_read_input_tokens")
	c.written = u.n("cacheWriteInputTokens", "cacheWriteInputTokenCount", "cache_creation_input_tokens")
	c.input = u.n("inputTokens", "inputTokenCount", "input_tokens", "prompt_tokens", "inputTextTokenCount", "prompt_token_count")
	c.output = u.n("outputTokens", "outputTokenCount", "output_tokens", "completion_tokens", "totalOutputTextTokenCount", "outputTextTokenCount", "generation_token_count")
	if c.input == 0 {
		c.input = metrics.n("inputTokenCount")
	}
	if c.output == 0 {
		c.output = metrics.n("outputTokenCount")
	}
	c.input += c.cached + c.written
	if _, whole := u["outputTextTokenCount"]; !whole && u["inputTextTokenCount"] != nil {
		c.output = -1 // the index has only half of what Titan states in a stream
	}
	return c
}

func ofCohere(u counts) consumed {
	billed := u.inside("billed_units")
	return consumed{
		input:  billed.n("input_tokens") + billed.n("image_tokens"),
		output: billed.n("output_tokens"),
		units:  billed.n("search_units") + billed.n("images"),
	}
}
