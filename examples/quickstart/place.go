package main

import (
	"net/http"
	"sync/atomic"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/fareboxtest"
)

// place is where the calls go: OpenRouter, or a simulated provider.
type place struct {
	name     string
	endpoint farebox.Endpoint
	models   []string
	limit    farebox.Money
	options  []farebox.Option
	requests func() int // that have reached the provider
	close    func()
}

func openPlace(key string) *place {
	if key == "" {
		return simulated()
	}
	sent := &counter{base: http.DefaultTransport}
	return &place{
		name: "OpenRouter", endpoint: farebox.OpenRouter(key), limit: farebox.Cents(5),
		models:   []string{"openai/gpt-4o-mini", "google/gemini-2.5-flash-lite"},
		options:  []farebox.Option{farebox.WithBaseTransport(sent)},
		requests: func() int { return int(sent.n.Load()) },
		close:    func() {},
	}
}

func simulated() *place {
	provider := fareboxtest.NewProvider(fareboxtest.WithStyle(fareboxtest.OpenRouter))
	return &place{
		name: "a simulated provider (set OPENROUTER_API_KEY for the real one)", endpoint: provider.Endpoint(),
		limit:    farebox.Cents(5),
		models:   []string{fareboxtest.SmallModel, fareboxtest.LargeModel, fareboxtest.SearchModel},
		options:  []farebox.Option{farebox.WithModels(provider.Prices()...)},
		requests: provider.RequestCount,
		close:    provider.Close,
	}
}

// counter counts what is sent to the network.
type counter struct {
	base http.RoundTripper
	n    atomic.Int64
}

func (c *counter) RoundTrip(req *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return c.base.RoundTrip(req)
}
