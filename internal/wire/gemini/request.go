package gemini

import (
	"math"
	"strings"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/request"
)

// defaultImages is how many images Imagen makes where sampleCount is not set
// (cloud.google.com/vertex-ai/generative-ai/docs/model-reference/imagen-api, 2026-11).
const defaultImages = 4

// ReadRequest implements [wire.Format]. Members may be written in lower camel case or with underscores: Google's servers
// take both.
func (Format) ReadRequest(op wire.Operation, to wire.Target, body []byte) (wire.Request, error) {
	q := requestReader{Body: request.New("gemini", op, body)}
	q.Model, q.Region = modelOf(to.Path), regionOf(to.Path)
	if op == wire.Chat {
		q.Model = "" // interactions name it in the body
	}
	q.Stream = strings.HasSuffix(to.Path, ":streamGenerateContent")
	q.IncludeUsage = true
	for q.Member() {
		q.member(string(q.R.Key()))
	}
	if op == wire.GenerateContent || op == wire.Chat {
		q.Inputs = 1
	}
	q.Choices = max(q.Choices, 1)
	if op == wire.ImageGeneration {
		if q.images == 0 {
			q.images = defaultImages
		}
		q.Units = map[string]int64{wire.UnitImage: q.images}
	}
	return q.Request, q.Err()
}

// requestReader gathers what a request asks for.
type requestReader struct {
	request.Body
	images int64 // that are to be made
}

// member reads a member of the request.
func (q *requestReader) member(key string) {
	switch key {
	case "contents":
		q.Each("contents", q.content)
	case "systemInstruction", "system_instruction", "content":
		q.content()
	case "generationConfig", "generation_config":
		q.Inside(q.generation)
	case "tools":
		q.tools()
	case "cachedContent", "cached_content", "previous_interaction_id":
		q.HiddenInput = q.HiddenInput || q.Given() > 0
	case "serviceTier", "service_tier":
		if tier := tierOf(q.Text("serviceTier")); tier != "standard" {
			q.ServiceTier = tier
		}
	case "requests": // of batchEmbedContents
		q.Each("requests", func() { q.Inside(q.member) })
	case "instances": // of predict
		q.Each("instances", q.instance)
	case "parameters":
		q.Inside(q.parameter)
	case "model":
		if model := strings.TrimPrefix(q.Text("model"), "models/"); q.Operation == wire.Chat {
			q.Model = model
		}
	case "agent":
		q.Model = q.Text("agent")
		q.ServerTools = true
	case "input":
		q.input()
	case "stream":
		q.Stream = q.R.True() || q.Stream
	}
}

// content reads a turn of the conversation, or what is to be embedded.
func (q *requestReader) content() {
	if n, ok := q.R.TextLen(); ok {
		q.TextBytes += n
		q.turn()
		return
	}
	if !q.R.Object() {
		return
	}
	q.turn()
	for q.R.Member() {
		switch string(q.R.Key()) {
		case "parts":
			q.Each("parts", q.part)
		case "role":
		default:
			q.AddText()
		}
	}
}

// turn counts a turn: a message of a chat, an input of a call for embeddings.
func (q *requestReader) turn() {
	if q.Operation == wire.Embeddings {
		q.Inputs++
	} else {
		q.Messages++
	}
}

// part reads one part of a turn.
func (q *requestReader) part() {
	if !q.R.Object() {
		q.AddText()
		return
	}
	for q.R.Member() {
		switch string(q.R.Key()) {
		case "inlineData", "inline_data", "fileData", "file_data":
			q.media()
		case "thoughtSignature", "thought_signature", "thought", "videoMetadata", "video_metadata", "mediaResolution", "media_resolution":
		default:
			q.AddText()
		}
	}
}

// media reads what kind of thing is sent along: by its type, of a file without one by nothing, as of a video's address.
func (q *requestReader) media() {
	kind := ""
	q.Inside(func(key string) {
		if key == "mimeType" || key == "mime_type" {
			kind = q.Text(key)
		}
	})
	q.kind(kind)
}

// kind counts a thing that is sent along, given its media type or the name of an interaction's content.
func (q *requestReader) kind(kind string) {
	kind, _, _ = strings.Cut(kind, "/")
	switch kind {
	case "image":
		q.Images++
	case "audio":
		q.Audios++
	case "video", "":
		q.Videos++
	default:
		q.Files++
	}
}

func (q *requestReader) generation(key string) {
	switch key {
	case "maxOutputTokens", "max_output_tokens":
		q.MaxOutput = q.Count()
	case "candidateCount", "candidate_count":
		q.Choices = int(min(q.Count(), math.MaxInt32))
	case "responseSchema", "response_schema", "responseJsonSchema", "response_json_schema", "_responseJsonSchema":
		q.AddText()
	case "responseModalities", "response_modalities":
		q.Each("responseModalities", func() {
			switch modality, _, _ := q.R.Text(); strings.ToUpper(string(modality)) {
			case "AUDIO":
				q.AudioOutput = true
			case "IMAGE":
				q.ImageOutput = true
			}
		})
	}
}

// tools reads the tools that are offered. Declarations become input; all others Google runs itself.
func (q *requestReader) tools() {
	q.Each("tools", func() {
		functions := false
		q.Inside(func(key string) {
			switch key {
			case "functionDeclarations", "function_declarations":
				start := q.R.Offset()
				q.Each(key, func() { q.Tools++ })
				q.TextBytes += int64(q.R.Offset() - start)
			case "type": // an interaction's tool
				kind := q.Text("type")
				functions = kind == "function"
				q.serverTool(kind, !functions)
			case "name", "description", "parameters":
				q.AddText()
			default:
				q.serverTool(key, q.Given() > 0)
			}
		})
		if functions {
			q.Tools++
		}
	})
}

// serverTool notes a tool that Google runs.
func (q *requestReader) serverTool(name string, offered bool) {
	if !offered {
		return
	}
	q.ServerTools = true
	q.WebSearch = q.WebSearch || strings.Contains(name, "oogle") || strings.Contains(strings.ToLower(name), "search")
}

// input reads what an interaction is about: a text, contents, or turns of both sides.
func (q *requestReader) input() {
	if n, ok := q.R.TextLen(); ok {
		q.TextBytes += n
		q.Messages++
		return
	}
	q.Each("input", func() {
		q.Messages++
		q.step()
	})
}

// step reads a turn or a content of an interaction.
func (q *requestReader) step() {
	kind, source := "", false
	q.Inside(func(key string) {
		switch key {
		case "type":
			kind = q.Text("type")
		case "content", "parts", "result":
			if q.R.Kind() == jsonwalk.Array {
				q.Each("content", q.step)
			} else {
				q.AddText()
			}
		case "data", "uri":
			source = q.Given() > 0
			q.R.Skip()
		case "role", "mime_type", "signature", "id", "call_id", "resolution":
		default:
			q.AddText()
		}
	})
	if source {
		q.kind(kind)
	}
}

// instance reads one input of predict.
func (q *requestReader) instance() {
	q.turn()
	q.Inside(func(key string) {
		switch key {
		case "content", "prompt", "title", "text":
			q.AddText()
		case "image":
			q.Images += q.Given()
		case "video":
			q.Videos += q.Given()
		}
	})
}

func (q *requestReader) parameter(key string) {
	if key == "sampleCount" {
		q.images = q.Count()
	}
}
