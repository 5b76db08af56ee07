// Package failure reads the errors of all wire formats: providers word them in a dozen shapes, and gateways pass on those of
// others, so every format reads them all.
package failure

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
)

// Read reads the body of an answer with an error status, or an event of a stream that is an error. It takes what can be read even of a body that is cut off in the middle. Of JSON
// only the members that describe an error get into the message: others may repeat a prompt.
func Read(status int, body []byte) wire.Error {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xEF\xBB\xBF")))
	var e wire.Error
	switch {
	case len(body) == 0:
	case body[0] == '{' || body[0] == '[' || body[0] == '"':
		e = Of(body)
	case body[0] == '<':
		e.Message = htmlTitle(body)
	default:
		e.Message = readable(string(body[:min(len(body), maxRawMessage)]))
	}
	if e.Message == "" {
		e.Message = http.StatusText(status)
	}
	return e
}

// Of reads an error that is a JSON value, in any of the shapes in use: an object around an error object or a text, the error's
// members themselves, a list of errors, a text.
func Of(raw []byte) wire.Error {
	r := jsonwalk.NewReader(raw)
	var f errorFields
	f.value(&r)
	return f.result()
}

// IsNothing says whether the value of an error member says that there is none.
func IsNothing(raw []byte) bool {
	switch string(raw) {
	case "null", "false", `""`, "{}", "[]":
		return true
	}
	return false
}

// Into takes an error inside an answer, as it is written; null and the like are none. The first one counts.
func Into(a *wire.Answer, raw []byte) {
	if a.Err == nil && raw != nil && !IsNothing(raw) {
		e := Of(raw)
		a.Err = &e
	}
}

// errorFields gathers an error. Of what is said twice the first counts: the inner object says more than the one
// around it, and is read into an errorFields of its own.
type errorFields struct {
	wire.Error
	raw string // what the upstream provider said, where a gateway passes that on
}

func (f *errorFields) value(r *jsonwalk.Reader) {
	switch {
	case r.Kind() == jsonwalk.String:
		f.Message = first(f.Message, errorText(r))
	case r.Array():
		for one := true; r.Element(); one = false {
			if one {
				f.value(r)
			}
		}
	case r.Object():
		for r.Member() {
			f.member(r)
		}
	}
}

func (f *errorFields) member(r *jsonwalk.Reader) {
	switch string(r.Key()) {
	case "error", "errors":
		inner := errorFields{}
		inner.value(r)
		f.adopt(inner)
	case "message", "detail", "msg", "error_description", "title":
		f.value(r)
	case "code":
		code := scalarText(r)
		f.Code = first(f.Code, code)
		f.status(code)
	case "status", "status_code", "raw_status_code":
		f.status(scalarText(r))
	case "type", "error_type":
		f.Type = first(f.Type, errorText(r))
	case "param":
		f.Param = first(f.Param, errorText(r))
	case "metadata":
		f.metadata(r)
	case "details":
		f.details(r)
	case "retry_after", "retry_after_seconds":
		f.RetryAfter = first(f.RetryAfter, scalarText(r))
	}
}

// metadata reads what OpenRouter says about the provider behind it.
func (f *errorFields) metadata(r *jsonwalk.Reader) {
	if !r.Object() {
		return
	}
	for r.Member() {
		switch string(r.Key()) {
		case "error_type":
			f.Type = first(errorText(r), f.Type)
		case "provider_name":
			f.Provider = first(errorText(r), f.Provider)
		case "provider_code":
			f.Code = first(f.Code, scalarText(r))
		case "raw":
			f.raw = rawText(r)
		case "retry_after", "retry_after_seconds":
			f.RetryAfter = first(f.RetryAfter, scalarText(r))
		case "reason":
			f.Reason = errorText(r)
		case "limit_source", "limit_usd": // of a key, a workspace or a guardrail
			f.Reason = first(f.Reason, "spend_limit")
			r.Skip()
		case "resets_at":
			f.ResetAt = errorText(r)
		case "headers":
			f.headers(r)
		}
	}
}

func (f *errorFields) headers(r *jsonwalk.Reader) {
	if !r.Object() {
		return
	}
	for r.Member() {
		if bytes.EqualFold(r.Key(), []byte("retry-after")) {
			f.RetryAfter = first(f.RetryAfter, scalarText(r))
		}
	}
}

// details reads Google's list of details, one of which may say when to try again: "retryDelay": "34s".
func (f *errorFields) details(r *jsonwalk.Reader) {
	if !r.Array() {
		return
	}
	for r.Element() {
		if !r.Object() {
			continue
		}
		for r.Member() {
			if string(r.Key()) == "retryDelay" {
				f.RetryAfter = first(f.RetryAfter, strings.TrimSuffix(errorText(r), "s"))
			}
		}
	}
}

// status notes an HTTP status that the error names.
func (f *errorFields) status(text string) {
	if n, err := strconv.Atoi(text); err == nil && f.Status == 0 && n >= 100 && n < 600 {
		f.Status = n
	}
}

// adopt takes over what an inner error says, which goes before what was said around it.
func (f *errorFields) adopt(inner errorFields) {
	f.Code = first(inner.Code, f.Code)
	f.Type = first(inner.Type, f.Type)
	f.Message = first(inner.Message, f.Message)
	f.Param = first(inner.Param, f.Param)
	f.Provider = first(inner.Provider, f.Provider)
	f.RetryAfter = first(inner.RetryAfter, f.RetryAfter)
	f.Reason, f.ResetAt = first(inner.Reason, f.Reason), first(inner.ResetAt, f.ResetAt)
	f.raw = first(inner.raw, f.raw)
	if inner.Status != 0 {
		f.Status = inner.Status
	}
}

// result is the error, its texts made fit to be read.
func (f *errorFields) result() wire.Error {
	e := f.Error
	if f.raw != "" && !strings.Contains(e.Message, f.raw) {
		e.Message = strings.TrimPrefix(e.Message+": "+f.raw, ": ")
	}
	e.Message = readable(e.Message)
	e.Code, e.Type, e.Param = label(e.Code), label(e.Type), label(e.Param)
	e.Provider, e.RetryAfter = label(e.Provider), label(e.RetryAfter)
	e.Reason, e.ResetAt = label(e.Reason), label(e.ResetAt)
	return e
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// maxRawMessage bounds how much of a text is looked at to make a message of.
const maxRawMessage = 4 << 10

// errorText reads a string, as much of it as can matter; empty where the value is none.
func errorText(r *jsonwalk.Reader) string {
	raw, escaped, _ := r.Text()
	raw = raw[:min(len(raw), maxRawMessage)]
	if escaped {
		raw = jsonwalk.AppendDecoded(nil, raw)
	}
	return string(raw)
}

// scalarText reads a string, or a number as it is written; empty where the value is neither.
func scalarText(r *jsonwalk.Reader) string {
	if r.Kind() != jsonwalk.Number {
		return errorText(r)
	}
	raw := r.Raw()
	return string(raw[:min(len(raw), maxLabel)])
}

// rawText reads what an upstream provider said: a text, or its own error as JSON, in a string or not.
func rawText(r *jsonwalk.Reader) string {
	text := []byte(errorText(r))
	if len(text) == 0 {
		text = r.Raw()
	}
	if text = bytes.TrimSpace(text); len(text) > 0 && (text[0] == '{' || text[0] == '[') {
		return Of(text).Message
	}
	return string(text)
}
