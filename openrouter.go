package farebox

import (
	"encoding/json"
	"fmt"
)

// ProviderPreferences say how OpenRouter routes a call among upstream providers
// (openrouter.ai/docs/features/provider-routing). Empty fields are not sent.
type ProviderPreferences struct {
	Order             []string  `json:"order,omitempty"`
	Only              []string  `json:"only,omitempty"`
	Ignore            []string  `json:"ignore,omitempty"`
	AllowFallbacks    *bool     `json:"allow_fallbacks,omitempty"`
	RequireParameters bool      `json:"require_parameters,omitempty"`
	DataCollection    string    `json:"data_collection,omitempty"` // "allow" or "deny"
	ZDR               bool      `json:"zdr,omitempty"`             // only endpoints that retain no data
	Quantizations     []string  `json:"quantizations,omitempty"`
	Sort              string    `json:"sort,omitempty"` // "price", "throughput" or "latency"
	MaxPrice          *MaxPrice `json:"max_price,omitempty"`
}

// MaxPrice is the most that an upstream provider may charge; OpenRouter answers 503 where none is as cheap. Fields that
// are nil are not sent.
type MaxPrice struct {
	Prompt, Completion *Rate // per token; sent per million, as OpenRouter takes them
	Request, Image     *Rate // per request and per image
}

// MarshalJSON writes the rates in OpenRouter's units.
func (p MaxPrice) MarshalJSON() ([]byte, error) {
	fields := map[string]json.Number{}
	if p.Prompt != nil {
		fields["prompt"] = json.Number(p.Prompt.PerMillionString())
	}
	if p.Completion != nil {
		fields["completion"] = json.Number(p.Completion.PerMillionString())
	}
	if p.Request != nil {
		fields["request"] = json.Number(p.Request.String())
	}
	if p.Image != nil {
		fields["image"] = json.Number(p.Image.String())
	}
	return json.Marshal(fields)
}

// WithProvider sends OpenRouter's routing preferences.
func WithProvider(preferences ProviderPreferences) CallOption {
	return WithField("provider", preferences)
}

// WithFallbackModels sends OpenRouter's list of models to serve a call instead, in order, where the first cannot
// (openrouter.ai/docs/features/model-routing). The call is held at the dearest of them and billed at the one that served.
func WithFallbackModels(models ...string) CallOption { return WithField("models", models) }

// ReasoningOptions say how a model is to reason (openrouter.ai/docs/use-cases/reasoning-tokens). Empty fields are not
// sent.
type ReasoningOptions struct {
	Effort    string `json:"effort,omitempty"` // "low", "medium", "high" …
	MaxTokens int    `json:"max_tokens,omitempty"`
	Exclude   bool   `json:"exclude,omitempty"` // reason, but leave it out of the answer
	Enabled   *bool  `json:"enabled,omitempty"`
}

// WithReasoning sends OpenRouter's reasoning options.
func WithReasoning(options ReasoningOptions) CallOption { return WithField("reasoning", options) }

// Plugin turns on one of OpenRouter's plugins (openrouter.ai/docs/features/web-search). Empty fields are not sent; Extra
// holds what a plugin takes beside them.
type Plugin struct {
	ID           string // "web", "file-parser" …
	MaxResults   int
	SearchPrompt string
	Extra        map[string]any
}

// MarshalJSON writes the plugin's own fields beside Extra's.
func (p Plugin) MarshalJSON() ([]byte, error) {
	fields := map[string]any{}
	for name, value := range p.Extra {
		fields[name] = value
	}
	fields["id"] = p.ID
	if p.MaxResults > 0 {
		fields["max_results"] = p.MaxResults
	}
	if p.SearchPrompt != "" {
		fields["search_prompt"] = p.SearchPrompt
	}
	return json.Marshal(fields)
}

// WithPlugins sends OpenRouter's plugins.
func WithPlugins(plugins ...Plugin) CallOption { return WithField("plugins", plugins) }

// OpenRouterAnswer is what OpenRouter says in an answer beyond what go-openai's types hold.
type OpenRouterAnswer struct {
	Provider string             `json:"provider"`
	Choices  []OpenRouterChoice `json:"choices"`
	Usage    OpenRouterUsage    `json:"usage"`
}

// OpenRouterChoice is what OpenRouter adds to a choice; of a chunk, Delta holds what Message does of an answer.
type OpenRouterChoice struct {
	NativeFinishReason string              `json:"native_finish_reason"`
	Message            OpenRouterReasoning `json:"message"`
	Delta              OpenRouterReasoning `json:"delta"`
}

// OpenRouterReasoning is a model's reasoning, as text and as the blocks that have to be sent back with tool results.
type OpenRouterReasoning struct {
	Reasoning        string            `json:"reasoning"`
	ReasoningDetails []json.RawMessage `json:"reasoning_details"`
}

// OpenRouterUsage is what OpenRouter states that a call cost. Numbers are as written; empty where they are not.
type OpenRouterUsage struct {
	Cost        json.Number                `json:"cost"`
	IsBYOK      bool                       `json:"is_byok"`
	CostDetails map[string]json.RawMessage `json:"cost_details"`

	PromptTokensDetails struct {
		CacheWriteTokens json.Number `json:"cache_write_tokens"`
		VideoTokens      json.Number `json:"video_tokens"`
	} `json:"prompt_tokens_details"`
}

// OpenRouter reads what OpenRouter says in the answer beyond go-openai's fields.
func (o *Outcome) OpenRouter() (OpenRouterAnswer, error) { return openRouterAnswer(o.Raw) }

// OpenRouter reads what OpenRouter says in the chunk beyond go-openai's fields.
func (r *ChatCompletionStreamResponse) OpenRouter() (OpenRouterAnswer, error) {
	return openRouterAnswer(r.Raw)
}

func openRouterAnswer(raw json.RawMessage) (answer OpenRouterAnswer, err error) {
	if err = json.Unmarshal(raw, &answer); err != nil {
		err = fmt.Errorf("farebox: reading OpenRouter's fields: %w", err)
	}
	return answer, err
}
