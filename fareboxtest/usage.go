package fareboxtest

import (
	"bytes"
	"encoding/json"
)

// wireUsage is a usage as OpenAI and OpenRouter write it.
type wireUsage struct {
	PromptTokens     int64  `json:"prompt_tokens"`
	CompletionTokens *int64 `json:"completion_tokens,omitempty"`
	TotalTokens      int64  `json:"total_tokens"`

	Cost   json.Number `json:"cost,omitempty"`
	IsBYOK *bool       `json:"is_byok,omitempty"`

	PromptDetails     *promptDetails     `json:"prompt_tokens_details,omitempty"`
	CostDetails       *costDetails       `json:"cost_details,omitempty"`
	CompletionDetails *completionDetails `json:"completion_tokens_details,omitempty"`
}

type promptDetails struct {
	CachedTokens     int64  `json:"cached_tokens"`
	CacheWriteTokens *int64 `json:"cache_write_tokens,omitempty"`
	AudioTokens      int64  `json:"audio_tokens"`
}

type completionDetails struct {
	ReasoningTokens          int64  `json:"reasoning_tokens"`
	AudioTokens              int64  `json:"audio_tokens"`
	ImageTokens              *int64 `json:"image_tokens,omitempty"`
	AcceptedPredictionTokens *int64 `json:"accepted_prediction_tokens,omitempty"`
	RejectedPredictionTokens *int64 `json:"rejected_prediction_tokens,omitempty"`
}

type costDetails struct {
	Upstream            json.Number `json:"upstream_inference_cost"`
	UpstreamPrompt      json.Number `json:"upstream_inference_prompt_cost"`
	UpstreamCompletions json.Number `json:"upstream_inference_completions_cost"`
}

// usageJSON is the usage as the answer states it, true or not; nil where it states none.
func (a *answer) usageJSON(f *Fault) json.RawMessage {
	if f.NoUsage {
		return nil
	}
	switch a.call.op {
	case responses:
		return rewritten(f, a.responsesUsage())
	case messages:
		return rewritten(f, a.messagesUsage(a.usage))
	case generate:
		return rewritten(f, a.generateUsage(a.usage))
	}
	u := wireUsage{PromptTokens: a.usage.Prompt, TotalTokens: a.usage.Prompt + a.usage.Completion}
	if a.call.op != embeddings {
		a.addCompletion(&u)
	}
	if a.style == OpenRouter {
		a.addCost(&u)
	}
	return rewritten(f, u)
}

// rewritten is a usage with what a fault changes in it.
func rewritten(f *Fault, usage any) json.RawMessage {
	data := encode(usage)
	if f.RewriteUsage == nil {
		return data
	}
	members := map[string]any{}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	_ = decoder.Decode(&members) // it was encoded just now
	f.RewriteUsage(members)
	return encode(members)
}

func (a *answer) addCompletion(u *wireUsage) {
	u.CompletionTokens = &a.usage.Completion
	u.PromptDetails = &promptDetails{CachedTokens: a.usage.Cached}
	u.CompletionDetails = &completionDetails{ReasoningTokens: a.usage.Reasoning}
	if a.style == OpenRouter {
		u.PromptDetails.CacheWriteTokens, u.CompletionDetails.ImageTokens = new(int64), new(int64)
	} else {
		u.CompletionDetails.AcceptedPredictionTokens, u.CompletionDetails.RejectedPredictionTokens = new(int64), new(int64)
	}
}

func (a *answer) addCost(u *wireUsage) {
	u.IsBYOK = &a.byok
	u.Cost = json.Number(decimal(a.cost))
	if a.byok {
		u.Cost = "0"
	}
	u.CostDetails = &costDetails{
		Upstream:            json.Number(decimal(a.cost)),
		UpstreamPrompt:      json.Number(decimal(a.inputCost)),
		UpstreamCompletions: json.Number(decimal(a.cost.Sub(a.inputCost))),
	}
}
