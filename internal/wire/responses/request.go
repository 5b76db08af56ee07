package responses

import (
	"strings"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/request"
)

// ReadRequest implements [wire.Format]. Where the body names no model the deployment in an Azure path stands for it.
func (Format) ReadRequest(op wire.Operation, to wire.Target, body []byte) (wire.Request, error) {
	q := reader{Body: request.New("responses", op, body)}
	for q.Member() {
		q.member()
	}
	if q.Model == "" {
		q.Model = wire.SegmentAfter(to.Path, "deployments")
	}
	q.Inputs, q.Choices = 1, 1
	q.IncludeUsage = true
	q.WebSearch = q.WebSearch || request.SearchesOnline(q.Model)
	if q.ServerTools && q.calls > 0 && !q.unlimited {
		q.ToolUses = min(q.calls, request.MostToolUses)
		q.Searches = q.ToolUses
	}
	return q.Request, q.Err()
}

// reader is a request while it is read.
type reader struct {
	request.Body
	calls     int64 // max_tool_calls, which counts the calls of all hosted tools together
	unlimited bool  // a tool is offered that is not bounded by it
}

func (q *reader) member() {
	switch string(q.R.Key()) {
	case "model":
		q.Model = q.Text("model")
	case "models":
		q.ReadModels()
	case "input":
		q.input()
	case "instructions":
		q.TextBytes += request.TextBytes(&q.R)
	case "previous_response_id", "conversation", "prompt":
		q.HiddenInput = q.HiddenInput || q.R.Kind() != jsonwalk.Null
	case "tools":
		q.tools()
	case "text":
		q.TextBytes += request.TextBytes(&q.R)
	case "max_tool_calls":
		q.calls = q.Count()
	case "max_output_tokens":
		q.MaxOutput = q.Count()
	case "stream":
		q.Stream = q.R.True()
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

// input reads a text or a list of items.
func (q *reader) input() {
	if n, ok := q.R.TextLen(); ok {
		q.TextBytes += n
		q.Messages++
		return
	}
	if !q.R.Array() {
		q.Refuse("input", "a string or an array")
		return
	}
	for q.R.Element() {
		q.Messages++
		if !q.R.Object() {
			q.Refuse("input", "an array of objects")
			continue
		}
		for q.R.Member() {
			q.itemMember()
		}
	}
}

// itemMember reads a member of an item: of a message, of a call and its output, of reasoning that goes back.
func (q *reader) itemMember() {
	switch string(q.R.Key()) {
	case "role", "status":
	case "type":
		kind, _, _ := q.R.Text()
		q.HiddenInput = q.HiddenInput || string(kind) == "item_reference"
	case "content", "output":
		q.ReadContent()
	case "tools": // that are added in the middle of a conversation
		q.tools()
	default:
		q.TextBytes += request.TextBytes(&q.R)
	}
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
		for q.R.Member() {
			if string(q.R.Key()) == "type" {
				kind, _, _ := q.R.Text()
				q.toolKind(string(kind))
			}
		}
	}
	q.TextBytes += int64(q.R.Offset() - start)
}

// toolKind takes note of tools that the provider runs: these are the caller's.
func (q *reader) toolKind(kind string) {
	switch kind {
	case "", "function", "custom", "namespace", "local_shell", "apply_patch", "tool_search":
		return
	case "computer_use_preview", "computer":
		return
	}
	q.ServerTools = true
	switch kind { // whose costs are a fee and tokens, by the call (platform.openai.com/docs/api-reference/responses/create, 2026-11)
	case "web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11", "file_search", "code_interpreter":
	default:
		q.unlimited = true
	}
	q.WebSearch = q.WebSearch || strings.HasPrefix(kind, "web_search") || kind == "x_search"
	q.ImageOutput = q.ImageOutput || kind == "image_generation"
}
