// Package bedrock reads the wire format of Amazon Bedrock's runtime: converse, which is the same for every model, and
// invoke, whose bodies are those of the model's maker; whole, or as an AWS event stream.
package bedrock

import (
	"net/http"
	"strings"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/failure"
	"github.com/farebox-go/farebox/internal/wire/usage"
)

// Format implements [wire.Format]. The zero value is ready to use and safe for concurrent use.
type Format struct{}

var _ wire.Format = Format{}

// Name implements [wire.Format].
func (Format) Name() string { return "bedrock" }

// Recognise implements [wire.Format]. Routes are /model/{id}/{verb}; what a model does when it is invoked shows in its id.
// A converse is a Chat, an invoke that writes a GenerateContent: that is how the two are told apart later.
func (Format) Recognise(to wire.Target) (route wire.Route, ok bool) {
	model, verb, ok := routeOf(to.Path)
	if !ok || to.Method != http.MethodPost {
		return route, false
	}
	switch verb {
	case "converse", "converse-stream":
		return wire.Route{Operation: wire.Chat}, true
	case "invoke", "invoke-with-response-stream":
		return wire.Route{Operation: invokes(model)}, true
	case "count-tokens": // docs.aws.amazon.com/bedrock/latest/userguide/count-tokens.html, 2026-11: not charged for
		return wire.Route{Billing: wire.Free}, true
	}
	return route, false
}

// routeOf takes a path apart. A model's ARN holds a slash, which is escaped on the wire and not here.
func routeOf(path string) (model, verb string, ok bool) {
	_, after, ok := strings.Cut(path, "/model/")
	if !ok {
		return "", "", false
	}
	rest, verb := wire.LastSegment(after)
	model = idOf(strings.TrimSuffix(rest, "/"))
	return model, verb, model != ""
}

// idOf is the id of a model: of a foundation model's or an inference profile's ARN its last part, with the prefix that says
// where the profile serves from ("us.", "eu.", "global."), which has a price of its own. What the ARN of a profile of the
// caller's own, of provisioned throughput or of an imported model stands for it does not say.
func idOf(model string) string {
	if !strings.HasPrefix(model, "arn:") {
		return model
	}
	for _, kind := range [...]string{":foundation-model/", ":inference-profile/", ":default-prompt-router/"} {
		if _, id, ok := strings.Cut(model, kind); ok {
			return id
		}
	}
	return model
}

// invokes says what a model does.
func invokes(model string) wire.Operation {
	switch {
	case strings.Contains(model, "rerank"):
		return wire.Rerank
	case strings.Contains(model, "embed"):
		return wire.Embeddings
	case strings.Contains(model, "canvas"), strings.Contains(model, "titan-image"), strings.Contains(model, "stability."):
		return wire.ImageGeneration
	}
	return wire.GenerateContent
}

// IncludeUsage implements [wire.Format]: usage is always there.
func (Format) IncludeUsage(body []byte) ([]byte, error) { return body, nil }

// ReadHeaders implements [wire.Format]. Where a model's own answer counts nothing, the head of what was invoked does.
func (Format) ReadHeaders(of *wire.Request, head http.Header, a *wire.Answer) {
	usage.CostInHeaders(of, head, a)
	if tier := head.Get("X-Amzn-Bedrock-Service-Tier"); tier != "" && a.ServiceTier == "" {
		a.ServiceTier = tier
	}
	if a.UsageSeen {
		return
	}
	var c counts
	var stated []usage.Named
	for _, header := range [...]struct {
		name string
		n    *int64
	}{
		{"x-amzn-bedrock-input-token-count", &c.input}, {"x-amzn-bedrock-output-token-count", &c.output},
		{"x-amzn-bedrock-cache-read-input-token-count", &c.cached}, {"x-amzn-bedrock-cache-write-input-token-count", &c.written},
	} {
		if value := head.Get(header.name); value != "" {
			r := jsonwalk.NewReader([]byte(value))
			c.take(&r, header.n)
			stated = append(stated, usage.Named{Name: header.name, Count: *header.n})
		}
	}
	if c.stated {
		c.tell(a)
		a.RawUsage = usage.Gather(a.RawUsage, stated...)
	}
}

// ReadError implements [wire.Format].
func (Format) ReadError(status int, body []byte) wire.Error { return failure.Read(status, body) }
