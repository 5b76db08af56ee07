package farebox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/farebox-go/farebox/internal/countapi"
	"github.com/farebox-go/farebox/internal/wire"
)

// WithProviderCounts asks providers how many tokens a request has, at their own count endpoints, which are free of charge:
// Anthropic's for messages and chats, Google's for generateContent and chats, OpenAI's for responses. They know their
// tokenizers, hidden prompts, images and files. farebox asks where an [Endpoint] with a key is registered and its own
// count is not exact: for [Client.Quote], and before a call that would be refused for what its input may cost; a call
// that fits is not held up. What is asked may take as long as wait, and as ctx allows; where no answer comes farebox's own
// count stands. The prompt is sent to the provider one time more for it.
//
// A quote made from such a count has the InputBasis "provider". Providers call their counts estimates, so
// that MostInputTokens is a fiftieth more, and 16. Requests that make the provider search or run tools of its own are not
// asked about. wait must be positive.
func WithProviderCounts(wait time.Duration) MeterOption {
	return meterOption(func(c *meterConfig) error {
		if wait <= 0 {
			return fmt.Errorf("WithProviderCounts: wait is %v: want a positive duration, such as 2*time.Second", wait)
		}
		c.askFor = wait
		return nil
	})
}

// What a provider's count may be off by, in a bound: Anthropic says that it is an estimate, and that the actual number may
// differ by a small amount (platform.claude.com/docs/en/build-with-claude/token-counting, 2026-11).
const (
	providerCountShare = 50
	providerCountSpare = 16
)

// take replaces what farebox knows of the input by what the provider says.
func (e *extent) take(providerCount int64) {
	e.inputs, e.basis = providerCount, basisProvider
	e.mostInputs = providerCount + providerCount/providerCountShare + providerCountSpare
}

// Bases of a count that decide whether the provider is asked; see Quote.InputBasis.
const (
	basisExact    = "exact"
	basisProvider = "provider"
)

// askBeforeRefusing asks the provider, once, where the call would be refused for what it was quoted. It says whether
// there is an answer, which p then holds.
func (a *attempt) askBeforeRefusing(p *payload, now time.Time) bool {
	if a.asked || !a.meter.asksAbout(a.ep, &a.request) {
		return false
	}
	if err := a.meter.guard.check(&a.hold, a.spender(), &a.quoted, now); err == nil {
		return false
	}
	a.asked = true
	a.providerCount = a.meter.ask(a.ctx, a.ep, &a.request, p)
	p.providerCount = a.providerCount
	return a.providerCount > 0
}

// quoteAsking quotes a request, by the provider's count where farebox's is not exact.
func (m *Meter) quoteAsking(ctx context.Context, ep *endpoint, r *wire.Request, p *payload) Quote {
	quoted := m.quote(ep, r, p, time.Now())
	if quoted.InputBasis != basisExact {
		if p.providerCount = m.ask(ctx, ep, r, p); p.providerCount > 0 {
			quoted = m.quote(ep, r, p, time.Now())
		}
	}
	return quoted.Quote
}

// asksAbout says whether the provider may be asked how many tokens a request has.
func (m *Meter) asksAbout(ep *endpoint, r *wire.Request) bool {
	return m.askFor > 0 && ep.secrets != nil && ep.isKeyed() && len(r.Models) == 0 && !r.WebSearch && !r.ServerTools
}

// isKeyed says whether the key is the endpoint's own: a request under another SDK may bring another one.
func (e *endpoint) isKeyed() bool {
	key := e.secrets().key
	return key != "" && hashKey(key) == e.keyHash
}

// ask asks the provider how many tokens a request has; 0 where it does not say.
func (m *Meter) ask(ctx context.Context, ep *endpoint, r *wire.Request, p *payload) int64 {
	if !m.asksAbout(ep, r) {
		return 0
	}
	api := countapi.For(ep.provider.id, p.format.Name())
	if api == nil {
		return 0
	}
	ctx, cancel := context.WithTimeout(ctx, m.askFor)
	defer cancel()
	n, err := m.askAt(ctx, api, ep, ep.modelNamed(r.Model), p)
	if err != nil {
		m.logger.DebugContext(ctx, "farebox: the provider did not count", slog.String("endpoint", ep.name), slog.Any("error", err))
	}
	return n
}

// askAt sends the question. Errors hold nothing of the request.
func (m *Meter) askAt(ctx context.Context, api *countapi.API, ep *endpoint, model string, p *payload) (int64, error) {
	body, err := api.Body(p.format.Name(), model, p.body)
	if err != nil {
		return 0, err
	}
	u := *ep.url
	u.Path = api.Path(u.Path, model)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	ep.authorize(req.Header)
	req.Header.Del("Authorization") // that of the compatible endpoint
	api.Sign(ep.secrets().key, req.Header)
	response, err := m.base.RoundTrip(req)
	if err != nil {
		return 0, stripURL(err)
	}
	defer func() { _ = response.Body.Close() }()
	const most = 64 << 10
	answer, err := io.ReadAll(io.LimitReader(response.Body, most))
	switch {
	case response.StatusCode != http.StatusOK:
		return 0, fmt.Errorf("status %d", response.StatusCode)
	case err != nil:
		return 0, err
	}
	n, err := countapi.Tokens(answer)
	if err == nil && n == 0 {
		err = errors.New("it counts no tokens")
	}
	return n, err
}
