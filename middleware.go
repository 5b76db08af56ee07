package farebox

import (
	"errors"
	"net/http"
	"net/url"
)

// Doer sends requests through a Meter, for SDKs that take anything with this method in place of an *http.Client:
// openai-go, anthropic-sdk-go, go-openai, langchaingo, cohere-go. [Meter.Doer] makes one; the zero value is not usable.
// Safe for concurrent use.
type Doer struct{ client *http.Client }

// Doer returns the form of [Meter.HTTPClient] that ends a refused call at its first attempt, also under SDKs that retry
// every error of an *http.Client: see [Doer.Do].
func (m *Meter) Doer() *Doer { return &Doer{client: m.HTTPClient()} }

// Do sends a request. Where farebox refuses it, Do returns the bare error, a [BudgetError] to errors.As, and beside it an
// answer with no body that says in the header X-Should-Retry that trying again is of no use. Code that follows net/http's
// convention looks at the error only.
func (d *Doer) Do(req *http.Request) (*http.Response, error) {
	resp, err := d.client.Do(req)
	var wrapped *url.Error
	if errors.Is(err, ErrRefused) && errors.As(err, &wrapped) {
		err = wrapped.Err // or else an SDK may take it for a failure of the network, and hide it
	}
	return besideRefusal(req, resp, err)
}

// Middleware returns the Meter in the form that openai-go and anthropic-sdk-go take in option.WithMiddleware: what comes
// after it in the chain sends the request. Put it last, so that it meters what is sent. A refusal ends as [Doer.Do] says.
//
// A chain of round trippers takes [Meter.Transport] itself, which is a func(http.RoundTripper) http.RoundTripper.
func (m *Meter) Middleware() func(*http.Request, func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	return func(req *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		resp, err := m.Transport(roundTripperFunc(next)).RoundTrip(req)
		return besideRefusal(req, resp, err)
	}
}

type roundTripperFunc func(*http.Request) (*http.Response, error)

func (f roundTripperFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// besideRefusal puts an answer beside the error of a refusal, for SDKs that ask the answer whether to try again.
func besideRefusal(req *http.Request, resp *http.Response, err error) (*http.Response, error) {
	if resp != nil || !errors.Is(err, ErrRefused) {
		return resp, err
	}
	return &http.Response{
		Status: "402 Refused by farebox", StatusCode: http.StatusPaymentRequired, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"X-Should-Retry": {"false"}}, Body: http.NoBody, Request: req,
	}, err
}
