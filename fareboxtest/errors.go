package fareboxtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// maxChoices is the most choices that OpenAI makes for one prompt.
const maxChoices = 128

// problem is an error that is to be put in the provider's shape.
type problem struct {
	status        int
	message, code string
	upstream      bool // OpenRouter's: it comes from the provider behind the gateway
}

// errorMember is OpenAI's and OpenRouter's "error". Code is a text with the one and a number with the other.
type errorMember struct {
	Message  string         `json:"message"`
	Type     string         `json:"type,omitempty"`
	Param    **string       `json:"param,omitempty"` // OpenAI's: null where it blames no one parameter
	Code     any            `json:"code"`
	Metadata map[string]any `json:"metadata,omitempty"`
}

type errorBody struct {
	Error  errorMember `json:"error"`
	UserID string      `json:"user_id,omitempty"`
}

// openAIErrors are what OpenAI says by status.
var openAIErrors = map[int]errorMember{
	http.StatusBadRequest:          {Message: "The request is not valid.", Type: "invalid_request_error"},
	http.StatusUnauthorized:        {Message: "Incorrect API key provided.", Type: "invalid_request_error", Code: "invalid_api_key"},
	http.StatusPaymentRequired:     {Message: "You have run out of credits.", Type: "insufficient_quota", Code: "insufficient_quota"},
	http.StatusNotFound:            {Message: "Not found.", Type: "invalid_request_error"},
	http.StatusTooManyRequests:     {Message: "Rate limit reached for requests.", Type: "requests", Code: "rate_limit_exceeded"},
	http.StatusInternalServerError: {Message: "The server had an error while processing your request.", Type: "server_error"},
	http.StatusServiceUnavailable:  {Message: "The engine is currently overloaded, please try again later.", Type: "server_error"},
	statusOverloaded:               {Message: "Overloaded", Type: "overloaded_error"},
}

// openRouterErrors are the kinds that OpenRouter names in an error's metadata.
var openRouterErrors = map[int]string{
	http.StatusBadRequest: "invalid_request", http.StatusUnauthorized: "authentication",
	http.StatusPaymentRequired: "payment_required", http.StatusForbidden: "permission_denied",
	http.StatusNotFound: "not_found", http.StatusRequestTimeout: "timeout",
	http.StatusTooManyRequests: "rate_limit_exceeded", http.StatusInternalServerError: "server",
	http.StatusBadGateway: "provider_unavailable", http.StatusServiceUnavailable: "provider_unavailable",
	statusOverloaded: "provider_overloaded",
}

func (p *Provider) errorMember(e problem) errorMember {
	if p.style == OpenRouter {
		return openRouterError(e)
	}
	member, ok := openAIErrors[e.status]
	if !ok {
		member = errorMember{Message: statusText(e.status), Type: "server_error"}
	}
	if e.message != "" {
		member.Message = e.message
	}
	if e.code != "" {
		member.Code = e.code
	}
	member.Param = null()
	return member
}

func openRouterError(e problem) errorMember {
	member := errorMember{Message: e.message, Code: e.status, Metadata: map[string]any{}}
	if kind := openRouterErrors[e.status]; kind != "" {
		member.Metadata["error_type"] = kind
	}
	if e.code != "" {
		member.Metadata["error_type"] = e.code
	}
	if e.upstream {
		member.Metadata["provider_name"], member.Metadata["raw"] = upstream, statusText(e.status)
		if e.message == "" {
			member.Message = "Provider returned error"
		}
	}
	if member.Message == "" {
		member.Message = statusText(e.status)
	}
	return member
}

func statusText(status int) string {
	if text := http.StatusText(status); text != "" {
		return text
	}
	return fmt.Sprintf("Status %d", status)
}

// errorBody is an error in the shape that the answers to an operation have.
func (p *Provider) errorBody(op operation, e problem) []byte {
	switch op {
	case messages:
		return encode(p.messagesError(e))
	case generate:
		return encode(p.generateError(e))
	}
	body := errorBody{Error: p.errorMember(e)}
	if p.style == OpenRouter {
		body.UserID = "user_fareboxtest"
	}
	return encode(body)
}

// check refuses what a provider refuses before a model runs.
func (p *Provider) check(r *http.Request, c *call) *problem {
	if p.key != "" && keyOf(r) != p.key {
		return &problem{status: http.StatusUnauthorized}
	}
	model := p.find(c)
	switch {
	case model == nil && p.style == OpenRouter:
		return &problem{status: http.StatusBadRequest, message: c.Model + " is not a valid model ID"}
	case model == nil:
		return &problem{status: http.StatusNotFound, code: "model_not_found",
			message: fmt.Sprintf("The model `%s` does not exist or you do not have access to it.", c.Model)}
	case c.N > maxChoices:
		return &problem{status: http.StatusBadRequest, message: fmt.Sprintf("n is %d, and can be %d at most.", c.N, maxChoices)}
	case model.ContextTokens > 0 && c.promptTokens() > model.ContextTokens:
		return &problem{status: http.StatusBadRequest, code: "context_length_exceeded", message: fmt.Sprintf(
			"This model's maximum context length is %d tokens. However, your messages resulted in %d tokens.", model.ContextTokens, c.promptTokens())}
	}
	return nil
}

// keyOf is the key that a request carries, wherever its provider wants it.
func keyOf(r *http.Request) string {
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return bearer
	}
	for _, name := range [...]string{"X-Api-Key", "X-Goog-Api-Key"} {
		if key := r.Header.Get(name); key != "" {
			return key
		}
	}
	return r.URL.Query().Get("key")
}

// refuse sends a problem of the call's own making.
func (p *Provider) refuse(d *delivery, r *record, op operation, e *problem) {
	p.setStatus(r, e.status)
	d.head(e.status, "application/json", nil)
	d.write(p.errorBody(op, *e))
}

// sendFault sends the error of a fault in the answer's place.
func (p *Provider) sendFault(d *delivery, r *record, op operation) {
	f := d.fault
	status, header := f.Status, http.Header{}
	if f.InsideOK {
		status = http.StatusOK
	}
	if f.RetryAfter != "" {
		header.Set("Retry-After", f.RetryAfter)
	}
	body, contentType := []byte(f.Body), "application/json"
	switch {
	case f.Body == "":
		body = p.errorBody(op, f.problem())
	case strings.HasPrefix(f.Body, "<"):
		contentType = "text/html"
	}
	p.setStatus(r, status)
	d.head(status, contentType, header)
	d.write(body)
}

func (f *Fault) problem() problem {
	return problem{status: f.Status, message: f.Message, code: f.Code, upstream: true}
}

// streamError reports an error in the middle of a stream: OpenRouter in a chunk that looks like the others, the rest in
// an event of nothing but the error.
func (d *delivery) streamError(a *answer, events []event) {
	p := d.provider
	switch {
	case a.call.op == responses:
		member := p.errorMember(d.fault.problem())
		d.write(d.frame(event{name: "error", data: encode(responsesError{Type: "error", Code: member.Code, Message: member.Message})}, true))
		return
	case a.call.op == messages:
		d.write(d.frame(event{name: "error", data: p.errorBody(messages, d.fault.problem())}, true))
		return
	case a.call.op == generate:
		d.write(d.frame(event{data: p.errorBody(generate, d.fault.problem())}, true))
		return
	case p.style != OpenRouter:
		d.write(d.frame(event{data: encode(errorBody{Error: p.errorMember(d.fault.problem())})}, true))
		return
	}
	var last body
	_ = json.Unmarshal(events[len(events)-1].data, &last) // it was encoded here
	member := p.errorMember(d.fault.problem())
	reason := "error"
	native := &reason
	last.Error = &member
	last.Choices = []choice{{
		Delta: &message{Role: "assistant", Content: present("")}, FinishReason: &reason, NativeFinishReason: &native,
	}}
	if !d.fault.Bill {
		last.Usage = nil
	}
	d.write(d.frame(event{data: encode(last)}, false))
	d.write(d.frame(a.terminator(), true))
}

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
