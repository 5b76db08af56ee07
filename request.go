package farebox

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/farebox-go/farebox/internal/jsonwalk"
)

// CallOption changes one call. Options are applied in order; a later one wins.
type CallOption interface{ applyToCall(*callOptions) error }

type callOption func(*callOptions) error

func (f callOption) applyToCall(o *callOptions) error { return f(o) }

type callOptions struct {
	fields   []bodyField
	header   http.Header
	tags     Tags
	endpoint string
	whenFull WhenFull
	streamed *bool // nil: as the Client has it
}

// bodyField is a top-level member of the request's JSON.
type bodyField struct {
	name  string
	value json.RawMessage // nil: left out
}

func newCallOptions(options []CallOption) (*callOptions, error) {
	var o callOptions
	for _, option := range options {
		if option == nil {
			continue
		}
		if err := option.applyToCall(&o); err != nil {
			return nil, fmt.Errorf("farebox: %w", err)
		}
	}
	return &o, nil
}

// WithField sends a top-level field that go-openai's request type lacks, or replaces one that it would leave out or
// send otherwise: WithField("temperature", 0) sends a zero, which the request type cannot. value is encoded as JSON;
// nil takes the field out of the request.
func WithField(name string, value any) CallOption {
	return callOption(func(o *callOptions) error {
		switch name {
		case "":
			return errors.New("WithField: the name is empty")
		case "model", "stream":
			return fmt.Errorf("WithField: %q is farebox's to set: choose the model in the request, and streaming by the method", name)
		}
		field := bodyField{name: name}
		if value != nil {
			var err error
			if field.value, err = json.Marshal(value); err != nil {
				return fmt.Errorf("WithField(%q): %w", name, err)
			}
		}
		o.fields = slices.DeleteFunc(o.fields, func(f bodyField) bool { return f.name == name })
		o.fields = append(o.fields, field)
		return nil
	})
}

// WithTemperature sends a temperature, zero included.
func WithTemperature(temperature float64) CallOption { return WithField("temperature", temperature) }

// WithRequestHeader sends a header with the call's requests.
func WithRequestHeader(name, value string) CallOption {
	return callOption(func(o *callOptions) error {
		if o.header == nil {
			o.header = http.Header{}
		}
		o.header.Set(name, value)
		return nil
	})
}

// WithTags puts tags on the call, on top of those of its context.
func WithTags(tags Tags) CallOption {
	return callOption(func(o *callOptions) error {
		if o.tags == nil {
			o.tags = Tags{}
		}
		maps.Copy(o.tags, tags)
		return nil
	})
}

// WithCallEndpoint sends the call to another registered endpoint than the Client's first; see [WithEndpoint].
func WithCallEndpoint(name string) CallOption {
	return callOption(func(o *callOptions) error {
		if name == "" {
			return errors.New("WithCallEndpoint: the name is empty")
		}
		o.endpoint = name
		return nil
	})
}

// encode makes the body of a request: go-openai's encoding with the call's fields put in.
func (o *callOptions) encode(request any, stream bool) ([]byte, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("farebox: encoding the request: %w", err)
	}
	fields := o.fields
	if stream {
		fields = append(slices.Clip(fields), bodyField{"stream", json.RawMessage("true")})
	}
	return setFields(body, fields...)
}

// setFields puts fields into a JSON object, each where one of its name stands or else at the end, and takes out those
// without a value. Everything else stays as it was written.
func setFields(body []byte, fields ...bodyField) ([]byte, error) {
	if len(fields) == 0 {
		return body, nil
	}
	out := append(make([]byte, 0, len(body)+64*len(fields)), '{')
	written := make([]bool, len(fields))
	r := jsonwalk.NewReader(body)
	if !r.Object() {
		return nil, errors.New("farebox: the request does not encode to a JSON object")
	}
	for r.Member() {
		name := string(r.Key())
		value := r.Raw()
		if i := slices.IndexFunc(fields, func(f bodyField) bool { return f.name == name }); i >= 0 {
			if written[i] {
				continue
			}
			written[i], value = true, fields[i].value
		}
		out = appendMember(out, name, value)
	}
	r.End()
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("farebox: the request does not encode to a JSON object: %w", err)
	}
	for i, f := range fields {
		if !written[i] {
			out = appendMember(out, f.name, f.value)
		}
	}
	return append(out, '}'), nil
}

func appendMember(out []byte, name string, value []byte) []byte {
	if value == nil {
		return out
	}
	if out[len(out)-1] != '{' {
		out = append(out, ',')
	}
	quoted, _ := json.Marshal(name) // a string always encodes
	out = append(append(out, quoted...), ':')
	return append(out, value...)
}

// Edits that farebox makes to requests, as receipts name them. Each has an option to turn it off.
const (
	editIncludeUsage = "stream_options.include_usage"     // WithoutStreamUsage
	editIdentity     = "Accept-Encoding: identity"        // WithoutStreamUsage
	editFit          = "output_limit"                     // only where a budget is Fit
	editMaxPrice     = "provider.max_price"               // WithoutMaxPrice
	editStream       = "stream"                           // only with WithStreamedAnswers
	editModel        = "model"                            // only where a budget is Degrade
	editOutputLimit  = "max_tokens→max_completion_tokens" // set MaxCompletionTokens, or an explicit field, yourself
)

// forModel makes the body that is sent to one endpoint for one model.
func forModel(body []byte, ep *endpoint, asked, model string) (out []byte, edits []string, err error) {
	var fields []bodyField
	if model != asked {
		name, _ := json.Marshal(model)
		fields = append(fields, bodyField{"model", name})
	}
	if ep.provider.reasoningLimit && isReasoningModel(model) {
		if limit := outputLimit(body); limit != nil {
			// OpenAI refuses max_tokens for these models ("Use 'max_completion_tokens' instead").
			fields = append(fields, bodyField{"max_tokens", nil}, bodyField{"max_completion_tokens", limit})
			edits = append(edits, editOutputLimit)
		}
	}
	out, err = setFields(body, fields...)
	return out, edits, err
}

// outputLimit is the max_tokens of a request that has no max_completion_tokens; nil where it need not be renamed.
func outputLimit(body []byte) (limit []byte) {
	r := jsonwalk.NewReader(body)
	if !r.Object() {
		return nil
	}
	for r.Member() {
		switch string(r.Key()) {
		case "max_tokens":
			limit = r.Raw()
		case "max_completion_tokens":
			return nil
		default:
			r.Skip()
		}
	}
	return limit
}

// isReasoningModel says whether a model of OpenAI's takes max_completion_tokens only: o1 and later, gpt-5 and later
// (platform.openai.com/docs/api-reference/chat/create).
func isReasoningModel(model string) bool {
	for _, family := range [...]string{"o1", "o3", "o4", "gpt-5", "gpt-6"} {
		if rest, ok := strings.CutPrefix(model, family); ok && (rest == "" || rest[0] == '-' || rest[0] == '.') {
			return true
		}
	}
	return false
}
