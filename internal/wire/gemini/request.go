package gemini

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
)

// ReadRequest implements [wire.Format]. Members may be written in lower camel case or with underscores: Google's servers
// take both. Errors name an offset or a member, never what the request says.
func (Format) ReadRequest(op wire.Operation, to wire.Target, body []byte) (wire.Request, error) {
	q := requestReader{r: jsonwalk.NewReader(body)}
	q.Operation, q.Model, q.Region = op, modelOf(to.Path), regionOf(to.Path)
	if op == wire.Chat {
		q.Model = "" // interactions name it in the body
	}
	q.Stream = strings.HasSuffix(to.Path, ":streamGenerateContent")
	q.IncludeUsage = true
	if len(bytes.TrimSpace(body)) == 0 {
		return q.Request, errors.New("gemini: the request body is empty")
	}
	if q.r.Kind() != jsonwalk.Object {
		return q.Request, errors.New("gemini: the request body is not a JSON object")
	}
	for q.r.Object(); q.r.Member(); {
		q.member()
	}
	q.r.End()
	if err := q.r.Err(); err != nil {
		return q.Request, fmt.Errorf("gemini: request body: %w", err)
	}
	q.finish()
	return q.Request, q.wrong
}

// requestReader gathers what a request asks for in one walk over its body.
type requestReader struct {
	r jsonwalk.Reader
	wire.Request
	images int64 // that are to be made
	wrong  error // the first member whose value has the wrong kind
}

func (q *requestReader) finish() {
	if q.Operation == wire.GenerateContent || q.Operation == wire.Chat {
		q.Inputs = 1
	}
	q.Choices = max(q.Choices, 1)
	if q.Operation == wire.ImageGeneration {
		q.Units = map[string]int64{wire.UnitImage: q.images}
		if q.images == 0 { // what sampleCount is where it is not set (cloud.google.com/vertex-ai/generative-ai/docs, imagen, 2026-11)
			q.Units[wire.UnitImage] = 4
		}
	}
}

// member reads a member of the request.
func (q *requestReader) member() {
	switch string(q.r.Key()) {
	case "contents":
		q.each("contents", q.content)
	case "systemInstruction", "system_instruction", "content":
		q.content()
	case "generationConfig", "generation_config":
		q.inside(q.generation)
	case "tools":
		q.tools()
	case "cachedContent", "cached_content", "previous_interaction_id":
		q.Files += q.present() // input that is not in the request, of a size that nobody states
	case "serviceTier", "service_tier":
		if tier := tierOf(q.text("serviceTier")); tier != "standard" {
			q.ServiceTier = tier
		}
	case "requests": // of batchEmbedContents
		q.each("requests", func() { q.inside(q.member) })
	case "instances": // of predict
		q.each("instances", q.instance)
	case "parameters":
		q.inside(q.parameter)
	case "model":
		if model := strings.TrimPrefix(q.text("model"), "models/"); q.Operation == wire.Chat {
			q.Model = model
		}
	case "agent":
		q.Model = q.text("agent")
		q.ServerTools = true
	case "input":
		q.input()
	case "stream":
		q.Stream = q.r.True() || q.Stream
	}
}

// each calls f for every element of an array. A single value stands for itself: Google's servers take that.
func (q *requestReader) each(member string, f func()) {
	switch {
	case q.r.Kind() == jsonwalk.Object:
		f()
	case q.r.Array():
		for q.r.Element() {
			f()
		}
	default:
		q.refuse(member, "an array")
	}
}

// inside calls f for every member of an object.
func (q *requestReader) inside(f func()) {
	if q.r.Object() {
		for q.r.Member() {
			f()
		}
	}
}

// refuse notes that a member's value is of the wrong kind, unless it is null.
func (q *requestReader) refuse(member, want string) {
	if kind := q.r.Kind(); kind != jsonwalk.Null && kind != jsonwalk.Invalid && q.wrong == nil {
		q.wrong = fmt.Errorf("gemini: request member %q is not %s", member, want)
	}
}

func (q *requestReader) text(member string) string {
	raw, escaped, ok := q.r.Text()
	if !ok {
		q.refuse(member, "a string")
		return ""
	}
	if escaped {
		raw = jsonwalk.AppendDecoded(nil, raw)
	}
	return string(raw)
}

// number reads a count: 0 where there is none or where it is below, the largest where it is out of range.
func (q *requestReader) number() int64 {
	n, err := jsonwalk.Int(q.r.Raw())
	switch {
	case errors.Is(err, jsonwalk.ErrRange):
		return math.MaxInt64
	case errors.Is(err, jsonwalk.ErrFraction):
		n++
	}
	return max(n, 0)
}

func (q *requestReader) present() int {
	if kind := q.r.Kind(); kind == jsonwalk.Null || kind == jsonwalk.Invalid {
		return 0
	}
	return 1
}

// content reads a turn of the conversation, or what is to be embedded.
func (q *requestReader) content() {
	if n, ok := q.r.TextLen(); ok {
		q.TextBytes += n
		q.turn()
		return
	}
	if !q.r.Object() {
		return
	}
	q.turn()
	for q.r.Member() {
		switch string(q.r.Key()) {
		case "parts":
			q.each("parts", q.part)
		case "role":
		default:
			q.anything()
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
	if !q.r.Object() {
		q.anything()
		return
	}
	for q.r.Member() {
		switch string(q.r.Key()) {
		case "inlineData", "inline_data", "fileData", "file_data":
			q.media()
		case "thoughtSignature", "thought_signature", "thought", "videoMetadata", "video_metadata", "mediaResolution", "media_resolution":
		default:
			q.anything()
		}
	}
}

// anything counts a value that becomes text: a string's own, of everything else the whole as it is written.
func (q *requestReader) anything() {
	if n, ok := q.r.TextLen(); ok {
		q.TextBytes += n
	} else if q.present() > 0 {
		q.TextBytes += int64(len(q.r.Raw()))
	}
}

// media reads what kind of thing is sent along: by its type, of a file without one by nothing, as of a video's address.
func (q *requestReader) media() {
	kind := ""
	q.inside(func() {
		if key := string(q.r.Key()); key == "mimeType" || key == "mime_type" {
			kind = q.text(key)
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

func (q *requestReader) generation() {
	switch string(q.r.Key()) {
	case "maxOutputTokens", "max_output_tokens":
		q.MaxOutput = q.number()
	case "candidateCount", "candidate_count":
		q.Choices = int(min(q.number(), math.MaxInt32))
	case "responseSchema", "response_schema", "responseJsonSchema", "response_json_schema", "_responseJsonSchema":
		q.anything()
	case "responseModalities", "response_modalities":
		q.each("responseModalities", func() {
			switch modality, _, _ := q.r.Text(); strings.ToUpper(string(modality)) {
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
	q.each("tools", func() {
		functions := false
		q.inside(func() {
			switch key := string(q.r.Key()); key {
			case "functionDeclarations", "function_declarations":
				start := q.r.Offset()
				q.each(key, func() { q.Tools++ })
				q.TextBytes += int64(q.r.Offset() - start)
			case "type": // an interaction's tool
				kind := q.text("type")
				functions = kind == "function"
				q.serverTool(kind, !functions)
			case "name", "description", "parameters":
				q.anything()
			default:
				q.serverTool(key, q.present() > 0)
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
	if n, ok := q.r.TextLen(); ok {
		q.TextBytes += n
		q.Messages++
		return
	}
	q.each("input", func() {
		q.Messages++
		q.step()
	})
}

// step reads a turn or a content of an interaction.
func (q *requestReader) step() {
	kind, source := "", false
	q.inside(func() {
		switch string(q.r.Key()) {
		case "type":
			kind = q.text("type")
		case "content", "parts", "result":
			if q.r.Kind() == jsonwalk.Array {
				q.each("content", q.step)
			} else {
				q.anything()
			}
		case "data", "uri":
			source = q.present() > 0
			q.r.Skip()
		case "role", "mime_type", "signature", "id", "call_id", "resolution":
		default:
			q.anything()
		}
	})
	if source {
		q.kind(kind)
	}
}

// instance reads one input of predict.
func (q *requestReader) instance() {
	q.turn()
	q.inside(func() {
		switch string(q.r.Key()) {
		case "content", "prompt", "title", "text":
			q.anything()
		case "image":
			q.Images += q.present()
		case "video":
			q.Videos += q.present()
		}
	})
}

func (q *requestReader) parameter() {
	if key := string(q.r.Key()); key == "sampleCount" {
		q.images = q.number()
	}
}
