package farebox

import (
	"net/http"

	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/anthropic"
	"github.com/farebox-go/farebox/internal/wire/audio"
	"github.com/farebox-go/farebox/internal/wire/batch"
	"github.com/farebox-go/farebox/internal/wire/bedrock"
	"github.com/farebox-go/farebox/internal/wire/cohere"
	"github.com/farebox-go/farebox/internal/wire/gemini"
	"github.com/farebox-go/farebox/internal/wire/images"
	"github.com/farebox-go/farebox/internal/wire/mistral"
	"github.com/farebox-go/farebox/internal/wire/ollama"
	"github.com/farebox-go/farebox/internal/wire/openai"
	"github.com/farebox-go/farebox/internal/wire/openrouter"
	"github.com/farebox-go/farebox/internal/wire/rerank"
	"github.com/farebox-go/farebox/internal/wire/responses"
	"github.com/farebox-go/farebox/internal/wire/xai"
)

// formats are the wire formats that the transport reads, asked in this order.
var formats = [...]wire.Format{
	mistral.Format{}, // before openai: it is charged for what others give away
	ollama.Format{},
	openai.Format{},
	responses.Format{},
	anthropic.Format{},
	images.Format{},
	audio.Format{},
	batch.Format{},
	gemini.Format{},
	bedrock.Format{},
	cohere.Format{},
	rerank.Format{},
	xai.Format{},
	openrouter.Format{},
}

// recognised is a request whose format is known.
type recognised struct {
	ep     *endpoint
	to     wire.Target
	format wire.Format
	route  wire.Route
}

// recognise finds the format that a request is in, and what the request is for.
func (m *Meter) recognise(req *http.Request) (r recognised, ok bool) {
	if c := callFromContext(req.Context()); c != nil {
		r.ep = c.endpoint
	} else {
		r.ep = m.endpointOf(req)
	}
	r.to = wire.Target{
		Method: req.Method, Host: req.URL.Host, Path: req.URL.Path, Query: req.URL.RawQuery,
		ContentType: req.Header.Get("Content-Type"), Provider: r.ep.provider.id,
	}
	for _, r.format = range formats {
		if r.route, ok = r.format.Recognise(r.to); ok {
			return r, true
		}
	}
	return r, false
}
