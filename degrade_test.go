package farebox_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/farebox-go/farebox"
)

func degradingClient(t *testing.T, limit farebox.Money, options ...farebox.Option) (*farebox.Client, *coinProvider) {
	t.Helper()
	provider := &coinProvider{}
	client, err := farebox.New(farebox.Compatible("acme", "https://acme.test/v1", coinKey), append([]farebox.Option{
		farebox.WithCatalog(&farebox.Catalog{}), farebox.WithBaseTransport(provider),
		farebox.WithPrice("gold", coinRates("1")), farebox.WithPrice("silver", coinRates("0.1")), farebox.WithPrice("coin", coinRates("0.01")),
		farebox.WithEndpoint(farebox.Compatible("other", "https://other.test/v1", "sk-other")),
		farebox.WithBudget(farebox.Budget{Name: "b", Cap: limit, WhenFull: farebox.Degrade}),
	}, options...)...)
	must(t, err)
	return client, provider
}

func TestDegrade(t *testing.T) {
	t.Parallel()
	client, provider := degradingClient(t, farebox.Dollars(2),
		farebox.WithLadder(farebox.Cheaper(farebox.On("", "gold"), farebox.On("", "silver"), farebox.On("other", "coin"))))
	request := chatRequest()
	for _, test := range []struct {
		model           string
		limit           int
		served, served2 string // model and endpoint; empty: refused
	}{
		{"gold", 1, "gold", "acme"},
		{"gold", 10, "silver", "acme"},
		{"gold", 100, "coin", "other"},
		{"silver", 100, "coin", "other"},
		{"gold", 1000, "", ""},
		{"coin", 1000, "", ""}, // nothing stands below it
	} {
		request.Model, request.MaxTokens = test.model, test.limit
		before := provider.count()
		resp, err := client.CreateChatCompletion(t.Context(), request)
		if test.served == "" {
			if !errors.Is(err, farebox.ErrBudgetExceeded) || provider.count() != before {
				t.Errorf("%+v: %v, want it refused unsent", test, err)
			}
			continue
		}
		must(t, err)
		r := resp.Receipt
		if r.ModelAsked != test.served || r.Endpoint != test.served2 || provider.count() != before+1 {
			t.Errorf("%+v: served by %s at %s", test, r.ModelAsked, r.Endpoint)
		}
		if got := slices.Contains(r.Edits, "model"); got != (test.served != test.model) {
			t.Errorf("%+v: edits %v", test, r.Edits)
		}
	}
}

func TestLaddersThatLeadNowhere(t *testing.T) {
	t.Parallel()
	if _, err := farebox.New(farebox.OpenAI("k"), farebox.WithLadder(nil)); err == nil {
		t.Error("a nil ladder was taken")
	}
	request := chatRequest()
	request.Model, request.MaxTokens = "gold", 100
	for name, test := range map[string]struct {
		ladder farebox.Ladder
		is     error
	}{
		"none":             {farebox.Cheaper(), farebox.ErrBudgetExceeded},
		"a circle":         {farebox.Cheaper(farebox.On("", "gold"), farebox.On("", "gold")), farebox.ErrBadRequest},
		"unknown endpoint": {farebox.Cheaper(farebox.On("", "gold"), farebox.On("nowhere", "coin")), farebox.ErrBadRequest},
	} {
		client, provider := degradingClient(t, farebox.Dollars(2), farebox.WithLadder(test.ladder))
		if _, err := client.CreateChatCompletion(t.Context(), request); !errors.Is(err, test.is) || provider.count() != 0 {
			t.Errorf("%s: %v after %d requests", name, err, provider.count())
		}
	}
	client, _ := degradingClient(t, farebox.Dollars(2))
	if _, err := client.CreateChatCompletion(t.Context(), request); !errors.Is(err, farebox.ErrBudgetExceeded) {
		t.Errorf("without a ladder: %v", err)
	}
	for after, want := range map[string]bool{"gold": true, "silver": false, "coin": false} {
		if next, ok := farebox.Cheaper(farebox.On("", "gold"), farebox.On("", "silver")).Next(farebox.On("acme", after)); ok != want {
			t.Error(fmt.Sprint(after, next, ok))
		}
	}
}
