package bedrock

import (
	"math"
	"strings"

	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/request"
)

// ReadRequest implements [wire.Format]. The bodies of all makers are read by one walk: what their members are called says
// enough.
func (Format) ReadRequest(op wire.Operation, to wire.Target, body []byte) (wire.Request, error) {
	q := requestReader{Body: request.New("bedrock", op, body)}
	var verb string
	q.Model, verb, _ = routeOf(to.Path)
	q.Stream = strings.HasSuffix(verb, "-stream")
	q.IncludeUsage = true
	for q.Member() {
		q.member(string(q.R.Key()))
	}
	q.Inputs = max(q.Inputs, 1)
	q.Choices = max(q.Choices, 1)
	if q.MaxOutput > 0 {
		q.MaxOutput = max(q.MaxOutput, q.Thinking)
	}
	switch op {
	case wire.Rerank:
		q.Units = map[string]int64{wire.UnitSearchUnit: (q.documents + 99) / 100}
	case wire.ImageGeneration:
		q.Units = map[string]int64{wire.UnitImage: max(q.images, 1)}
	}
	return q.Request, q.Err()
}

// requestReader gathers what a request asks for.
type requestReader struct {
	request.Body
	documents int64 // to be ranked, those longer than 500 bytes counted as several
	images    int64 // to be made
}

func (q *requestReader) member(key string) {
	switch key {
	case "messages":
		q.ReadMessages()
	case "system", "prompt", "inputText", "message", "preamble", "query", "suffix", "promptVariables":
		q.content()
	case "chat_history":
		q.Each(key, func() { q.Messages++; q.AddText() })
	case "documents":
		q.Each(key, func() {
			before := q.TextBytes
			q.ReadPart()
			q.documents += 1 + (q.TextBytes-before)/500
		})
	case "texts":
		q.ReadInputs(key)
	case "images":
		q.Each(key, func() { q.Images++; q.Inputs++ })
	case "inputImage", "image":
		q.Images += q.Given()
	case "inferenceConfig", "textGenerationConfig", "imageGenerationConfig":
		q.Inside(q.setting)
	case "additionalModelRequestFields":
		q.Inside(q.additional)
	case "toolConfig":
		q.Inside(q.toolConfig)
	case "tools":
		q.ReadTools()
	case "performanceConfig":
		if q.NameInside("latency") == "optimized" {
			q.Speed = "optimized"
		}
	case "serviceTier":
		q.ServiceTier = q.NameInside("type")
	case "outputConfig", "response_format", "textToImageParams", "singleEmbeddingParams":
		q.AddText()
	default:
		q.setting(key)
		q.additional(key)
	}
}

// content reads a text, or the parts of a system prompt.
func (q *requestReader) content() {
	if q.Operation == wire.GenerateContent && q.Messages == 0 {
		q.Messages = 1 // models of before the chats
	}
	q.ReadContent()
}

// setting reads a limit, under the names of all makers.
func (q *requestReader) setting(key string) {
	switch key {
	case "maxTokens", "max_tokens", "max_new_tokens", "max_completion_tokens", "max_gen_len", "max_tokens_to_sample", "maxTokenCount":
		if q.Operation != wire.Embeddings { // where it cuts the input
			q.MaxOutput = max(q.MaxOutput, q.Count())
		}
	case "num_generations", "n", "numResults":
		q.Choices = max(q.Choices, int(min(q.Count(), math.MaxInt32)))
	case "numberOfImages":
		q.images = q.Count()
	}
}

// additional reads what goes to the model as it is.
func (q *requestReader) additional(key string) {
	switch key {
	case "thinking", "reasoning_config":
		q.ReadThinking()
	}
}

// toolConfig reads the tools of converse; those named by systemTool are run by AWS.
func (q *requestReader) toolConfig(key string) {
	if key != "tools" {
		return
	}
	start := q.R.Offset()
	q.Each(key, func() {
		q.Inside(func(key string) {
			switch key {
			case "toolSpec":
				q.Tools++
			case "systemTool":
				q.ServerTools = true
				q.WebSearch = true // nova_grounding, or one that is not known to be cheaper
			case "cachePoint":
				q.ReadCacheControl()
			}
		})
	})
	q.TextBytes += int64(q.R.Offset() - start)
}
