package anthropic

import (
	"bytes"
	"strings"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/request"
)

// ReadRequest implements [wire.Format]. Where the body names no model a path of Vertex AI's does.
func (Format) ReadRequest(op wire.Operation, to wire.Target, body []byte) (wire.Request, error) {
	q := reader{Body: request.New("anthropic", op, body)}
	for q.Member() {
		if string(q.R.Key()) == "requests" && op == wire.Batch {
			q.batch()
		} else {
			q.member()
		}
	}
	q.Inputs, q.Choices = max(q.Inputs, 1), 1
	q.IncludeUsage = true
	if model, method, ok := strings.Cut(wire.SegmentAfter(to.Path, "models"), ":"); ok {
		q.Model = model
		q.Stream = q.Stream || method == "streamRawPredict"
		q.region(to.Path)
	}
	q.WebSearch = q.WebSearch || request.SearchesOnline(q.Model)
	if q.unlimited {
		q.ToolUses, q.Searches = 0, 0
	}
	return q.Request, q.Err()
}

// reader is a request while it is read.
type reader struct {
	request.Body
	unlimited bool // something is offered that the provider may use any number of times
}

// region is that of a path of Vertex AI's, whose regional endpoints cost more than the global one.
func (q *reader) region(path string) {
	if location := wire.SegmentAfter(path, "locations"); location != "global" {
		q.Region = location
	}
}

// batch reads the requests of a batch as one: all of their input, and the largest of their output limits for each.
func (q *reader) batch() {
	if !q.R.Array() {
		q.Refuse("requests", "an array")
		return
	}
	for q.R.Element() {
		q.Inputs++
		if !q.R.Object() {
			q.Refuse("requests", "an array of objects")
			continue
		}
		for q.R.Member() {
			if string(q.R.Key()) != "params" || !q.R.Object() {
				continue
			}
			for q.R.Member() {
				q.member()
			}
		}
	}
	q.Stream = false
}

// member reads a member of the request.
func (q *reader) member() {
	switch string(q.R.Key()) {
	case "model":
		q.model()
	case "models":
		q.ReadModels()
	case "messages":
		q.messages()
	case "system":
		q.content()
	case "prompt": // of the older text completions
		q.TextBytes += request.TextBytes(&q.R)
	case "tools":
		q.tools()
	case "mcp_servers":
		q.ServerTools = q.ServerTools || q.R.Kind() == jsonwalk.Array
		q.unlimited = q.unlimited || q.R.Kind() == jsonwalk.Array
	case "max_tokens", "max_tokens_to_sample":
		q.MaxOutput = max(q.MaxOutput, q.Count())
	case "stream":
		q.Stream = q.R.True()
	case "service_tier":
		q.ServiceTier = q.Text("service_tier")
	case "speed":
		if q.Speed = q.Text("speed"); q.Speed == "standard" {
			q.Speed = ""
		}
	case "inference_geo":
		if q.Region = q.Text("inference_geo"); q.Region == "global" {
			q.Region = ""
		}
	case "cache_control":
		q.ReadCacheControl()
	case "output_config", "output_format":
		q.TextBytes += request.TextBytes(&q.R)
	case "context_management": // may let the provider compact the conversation, in a step of its own
		q.ServerTools = q.ServerTools || q.R.Kind() == jsonwalk.Object
		q.unlimited = q.unlimited || q.R.Kind() == jsonwalk.Object
	case "provider":
		q.ReadRouting()
	default:
		q.ReadSearch()
	}
}

// model reads the model; that of a batch's second request may be another one.
func (q *reader) model() {
	switch model := q.Text("model"); {
	case q.Model == "":
		q.Model = model
	case q.Model != model && q.Operation == wire.Batch && len(q.Models) < maxModels:
		q.Models = append(q.Models, model)
	}
}

// maxModels bounds the models that a batch is priced at.
const maxModels = 64

func (q *reader) messages() {
	if !q.R.Array() {
		q.Refuse("messages", "an array")
		return
	}
	for q.R.Element() {
		q.Messages++
		if !q.R.Object() {
			q.Refuse("messages", "an array of objects")
			continue
		}
		for q.R.Member() {
			switch string(q.R.Key()) {
			case "role":
			case "content":
				q.content()
			default:
				q.TextBytes += request.TextBytes(&q.R)
			}
		}
	}
}

// content reads a text or blocks.
func (q *reader) content() {
	if !q.R.Array() {
		q.TextBytes += request.TextBytes(&q.R)
		return
	}
	for q.R.Element() {
		q.block()
	}
}

// block reads one block of a content: a text, or something with a source, or what came of a tool.
func (q *reader) block() {
	if !q.R.Object() {
		q.TextBytes += request.TextBytes(&q.R)
		return
	}
	var kind []byte
	media := int64(-1)
	for q.R.Member() {
		switch string(q.R.Key()) {
		case "type":
			kind, _, _ = q.R.Text()
		case "cache_control":
			q.ReadCacheControl()
		case "source":
			media = q.source()
		case "content": // of a tool's result or a document
			q.content()
		default:
			q.TextBytes += request.TextBytes(&q.R)
		}
	}
	switch {
	case media < 0:
	case string(kind) == "image":
		q.Images++
	case media > 0: // a document in plain text
		q.TextBytes += media
	default:
		q.Files++
	}
	if string(kind) == "container_upload" {
		q.Files++
	}
}

// source reads where an image or a document is. It returns the length of a document that is plain text, 0 of all else.
func (q *reader) source() (text int64) {
	if !q.R.Object() {
		return 0
	}
	var plain bool
	var length int64
	for q.R.Member() {
		switch string(q.R.Key()) {
		case "type":
			kind, _, _ := q.R.Text()
			plain = plain || string(kind) == "text"
		case "data":
			length = request.TextBytes(&q.R)
		case "content":
			q.content()
		}
	}
	if plain {
		return length
	}
	return 0
}

// tools reads the tools that are offered. Their descriptions and schemas become input as a whole.
func (q *reader) tools() {
	start := q.R.Offset()
	if !q.R.Array() {
		return
	}
	for q.R.Element() {
		q.Tools++
		if !q.R.Object() {
			continue
		}
		var kind []byte
		var uses int64
		for q.R.Member() {
			switch string(q.R.Key()) {
			case "type":
				kind, _, _ = q.R.Text()
			case "max_uses":
				uses = q.Count()
			case "model": // of an advisor
				if model := q.Text("model"); model != "" {
					q.Models = append(q.Models, model)
				}
			case "cache_control":
				q.ReadCacheControl()
			}
		}
		q.toolKind(kind, uses)
	}
	q.TextBytes += int64(q.R.Offset() - start)
}

// ownTools begin the types of tools that Anthropic has made and the caller runs
// (docs.claude.com/en/docs/agents-and-tools/tool-use/overview, 2026-11).
var ownTools = [...]string{"custom", "bash_", "text_editor_", "computer_", "memory_"}

// toolKind takes note of tools that the provider runs, and of how often it may use them; 0: as often as it likes.
//
// The later searches and fetches run code of their own, which max_uses does not count, and so does an advisor another model
// (platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool, 2026-11).
func (q *reader) toolKind(kind []byte, uses int64) {
	for _, own := range ownTools {
		if bytes.HasPrefix(kind, []byte(own)) {
			return
		}
	}
	if len(kind) == 0 {
		return
	}
	q.ServerTools = true
	search := bytes.HasPrefix(kind, []byte("web_search"))
	q.WebSearch = q.WebSearch || search
	if uses <= 0 || string(kind) != "web_search_20250305" && string(kind) != "web_fetch_20250910" {
		q.unlimited = true
		return
	}
	q.ToolUses = min(q.ToolUses+min(uses, request.MostToolUses), request.MostToolUses)
	if search {
		q.Searches = min(q.Searches+min(uses, request.MostToolUses), request.MostToolUses)
	}
}
