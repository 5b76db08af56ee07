package openai

import (
	"math"

	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/request"
)

// ReadRequest implements [wire.Format]. Where the body names no model the deployment in an Azure path stands for it.
func (Format) ReadRequest(op wire.Operation, to wire.Target, body []byte) (wire.Request, error) {
	q := request.New("openai", op, body)
	for q.Member() {
		member(&q)
	}
	finish(&q, to.Path)
	return q.Request, q.Err()
}

// finish fills in what follows from the whole of the request.
func finish(q *request.Body, path string) {
	if q.Model == "" {
		q.Model = wire.SegmentAfter(path, "deployments")
	}
	if q.Operation == wire.Chat {
		q.Inputs = 1
	}
	q.Choices = max(q.Choices, 1)
	if q.MaxOutput > 0 { // the limit counts thinking too; a provider that takes a lower one than that goes beyond it
		q.MaxOutput = max(q.MaxOutput, q.Thinking)
	}
	q.WebSearch = q.WebSearch || request.SearchesOnline(q.Model)
	for _, model := range q.Models {
		q.WebSearch = q.WebSearch || request.SearchesOnline(model)
	}
}

// member reads a member of the request.
func member(q *request.Body) {
	switch string(q.R.Key()) {
	case "model":
		q.Model = q.Text("model")
	case "models", "fallbacks":
		q.ReadModels()
	case "messages":
		q.ReadMessages()
	case "prompt":
		q.ReadInputs("prompt")
	case "input":
		q.ReadInputs("input")
	case "suffix", "variables", "documents":
		q.TextBytes += request.TextBytes(&q.R)
	case "cache_control":
		q.ReadCacheControl()
	case "tools", "functions":
		q.ReadTools()
	case "response_format":
		q.ReadSchema()
	case "max_tokens", "max_completion_tokens", "max_output_tokens":
		q.MaxOutput = max(q.MaxOutput, q.Count())
	case "prediction": // what of it does not come true is billed as output, at most a token for a byte
		q.BesideLimit = request.AddTokens(q.BesideLimit, request.TextBytes(&q.R))
	case "thinking_budget": // Qwen's, which max_tokens does not count (docs.siliconflow.cn, "reasoning", 2026-11)
		q.BesideLimit = request.AddTokens(q.BesideLimit, q.Count())
	case "reasoning", "thinking":
		q.ReadThinking()
	case "n", "best_of":
		q.Choices = max(q.Choices, int(min(q.Count(), math.MaxInt32)))
	case "stream":
		q.Stream = q.R.True()
	case "stream_options":
		q.IncludeUsage = q.Flag("include_usage") || q.IncludeUsage
	case "usage": // OpenRouter's older way to ask
		q.IncludeUsage = q.Flag("include") || q.IncludeUsage
	case "service_tier":
		q.ServiceTier = q.Text("service_tier")
	case "modalities":
		q.ReadModalities()
	case "provider":
		q.ReadRouting()
	default:
		q.ReadSearch()
	}
}
