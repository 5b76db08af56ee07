package fareboxtest

import (
	"encoding/json"
	"net/http"

	"github.com/farebox-go/farebox"
)

// releasedAt is when every simulated model was made, in Unix seconds.
const releasedAt = 1_735_689_600

type openAIModel struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

type openRouterModel struct {
	ID            string            `json:"id"`
	CanonicalSlug string            `json:"canonical_slug"`
	Name          string            `json:"name"`
	Created       int64             `json:"created"`
	ContextLength *int64            `json:"context_length"`
	Architecture  architecture      `json:"architecture"`
	Pricing       map[string]string `json:"pricing"`
	TopProvider   topProvider       `json:"top_provider"`
	Supported     []string          `json:"supported_parameters"`
}

type architecture struct {
	InputModalities  []string `json:"input_modalities"`
	OutputModalities []string `json:"output_modalities"`
	Tokenizer        string   `json:"tokenizer"`
}

type topProvider struct {
	ContextLength       *int64 `json:"context_length"`
	MaxCompletionTokens *int64 `json:"max_completion_tokens"`
	IsModerated         bool   `json:"is_moderated"`
}

// pricingNames are OpenRouter's names for what farebox prices.
var pricingNames = map[farebox.Dimension]string{
	farebox.DimensionInput: "prompt", farebox.DimensionOutput: "completion", farebox.DimensionRequest: "request",
	farebox.DimensionCacheRead: "input_cache_read", farebox.DimensionCacheWrite: "input_cache_write",
	farebox.DimensionCacheWrite1h: "input_cache_write_1h", farebox.DimensionReasoning: "internal_reasoning",
	farebox.DimensionWebSearch: "web_search", farebox.DimensionImageInput: "image_token",
	farebox.DimensionAudioInput: "audio", farebox.DimensionAudioOutput: "audio_output",
}

// listModels is the body of GET /models.
func (p *Provider) listModels() []byte {
	if p.style == OpenRouter {
		list := struct {
			Data []openRouterModel `json:"data"`
		}{Data: make([]openRouterModel, len(p.models))}
		for i := range p.models {
			list.Data[i] = p.models[i].openRouter()
		}
		return encode(list)
	}
	list := struct {
		Object string        `json:"object"`
		Data   []openAIModel `json:"data"`
	}{Object: "list", Data: make([]openAIModel, len(p.models))}
	for i, m := range p.models {
		list.Data[i] = openAIModel{ID: m.Name, Object: "model", Created: releasedAt, OwnedBy: "fareboxtest"}
	}
	return encode(list)
}

func (m *Model) openRouter() openRouterModel {
	listed := openRouterModel{
		ID: m.Name, CanonicalSlug: m.servedAs(), Name: m.Name, Created: releasedAt,
		ContextLength: known(m.ContextTokens),
		Architecture:  architecture{InputModalities: []string{"text"}, OutputModalities: []string{"text"}, Tokenizer: "Other"},
		Pricing:       map[string]string{"prompt": "0", "completion": "0"},
		TopProvider:   topProvider{ContextLength: known(m.ContextTokens), MaxCompletionTokens: known(m.MaxOutputTokens)},
		Supported:     []string{"max_tokens", "tools", "reasoning"},
	}
	if m.Embedding {
		listed.Architecture.OutputModalities, listed.Supported = []string{"embeddings"}, []string{}
	}
	for dimension, rate := range m.Rates {
		if name, ok := pricingNames[dimension]; ok {
			listed.Pricing[name] = rate.String()
		}
	}
	return listed
}

func known(limit int64) *int64 {
	if limit <= 0 {
		return nil
	}
	return &limit
}

// generation is OpenRouter's record of one answer.
type generation struct {
	ID               string      `json:"id"`
	TotalCost        json.Number `json:"total_cost"`
	Usage            json.Number `json:"usage"`
	UpstreamCost     json.Number `json:"upstream_inference_cost"`
	IsBYOK           bool        `json:"is_byok"`
	CreatedAt        string      `json:"created_at"`
	Model            string      `json:"model"`
	ProviderName     string      `json:"provider_name"`
	Streamed         bool        `json:"streamed"`
	Cancelled        bool        `json:"cancelled"`
	TokensPrompt     int64       `json:"tokens_prompt"`
	TokensCompletion int64       `json:"tokens_completion"`
	NativePrompt     int64       `json:"native_tokens_prompt"`
	NativeCompletion int64       `json:"native_tokens_completion"`
	NativeReasoning  int64       `json:"native_tokens_reasoning"`
	NativeCached     int64       `json:"native_tokens_cached"`
}

// serveGeneration answers GET /generation: 404 until the call's charge is settled and the lag is over.
func (p *Provider) serveGeneration(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("id")
	found, ok := p.lookUp(id)
	if !ok {
		writeJSON(w, http.StatusNotFound, p.errorBody(chat, problem{status: http.StatusNotFound, message: "Generation " + id + " not found"}))
		return
	}
	writeJSON(w, http.StatusOK, encode(map[string]generation{"data": found}))
}

func (p *Provider) lookUp(id string) (generation, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.records {
		if r.GenerationID != id || !r.done || r.served == "" {
			continue
		}
		if p.lookups[id]++; p.lookups[id] <= p.lag {
			break
		}
		return p.generation(r), true
	}
	return generation{}, false
}

func (p *Provider) generation(r *record) generation {
	charge, upstreamCost := decimal(r.Billed), decimal(r.Billed)
	if p.byok {
		charge = "0"
	}
	return generation{
		ID: r.GenerationID, TotalCost: json.Number(charge), Usage: json.Number(charge), UpstreamCost: json.Number(upstreamCost),
		IsBYOK: p.byok, CreatedAt: r.At.UTC().Format("2006-01-02T15:04:05.999999+00:00"), Model: r.served, ProviderName: upstream,
		Streamed: r.Stream, Cancelled: r.cancelled,
		TokensPrompt: r.Usage.Prompt, TokensCompletion: r.Usage.Completion, NativePrompt: r.Usage.Prompt,
		NativeCompletion: r.Usage.Completion, NativeReasoning: r.Usage.Reasoning, NativeCached: r.Usage.Cached,
	}
}
