package farebox

import (
	"encoding/json"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
)

// WithoutMaxPrice leaves OpenRouter's provider.max_price alone. Without it farebox sets it, where a budget in money applies
// and the request does not, to the price that the call is held at: OpenRouter then refuses a call for which only dearer
// providers are left (503), rather than bill more than was held.
func WithoutMaxPrice() MeterOption {
	return meterOption(func(c *meterConfig) error {
		c.leaveMaxPrice = true
		return nil
	})
}

// capPrice tells OpenRouter the dearest that the call may be served at.
func (a *attempt) capPrice(body []byte) []byte {
	if a.meter.leaveMaxPrice || a.ep.provider.id != "openrouter" || a.format.Name() != "openai" || a.quoted.table == nil ||
		(a.request.Operation != wire.Chat && a.request.Operation != wire.TextCompletion) ||
		!a.hold.countsMoney() || jsonwalk.Find(body, "provider", "max_price") != nil {
		return body
	}
	value, err := json.Marshal(a.quoted.maxPrice())
	if err != nil {
		return body
	}
	edited, err := jsonwalk.Set(body, string(value), "provider", "max_price")
	if err != nil {
		return body // OpenRouter will say what is wrong with it
	}
	a.receipt.Edits = append(a.receipt.Edits, editMaxPrice)
	return edited
}

// maxPrice is the dearest price that a quote allows for: of plain text, which is what OpenRouter compares. What is written to
// a cache costs more than that in the quote as it does at the provider.
func (q *quoted) maxPrice() MaxPrice {
	prompt, completion, request := q.ceiling.prompt, q.ceiling.completion, q.ceiling.request
	for i := range q.others {
		other := &q.others[i].ceiling
		prompt, completion, request = dearer(prompt, other.prompt), dearer(completion, other.completion), dearer(request, other.request)
	}
	price := MaxPrice{Prompt: &prompt, Completion: &completion}
	if !request.IsZero() {
		price.Request = &request
	}
	return price
}

// countsMoney says whether any of the hold's budgets is one in money that enforces.
func (h *hold) countsMoney() bool {
	for _, b := range h.budgets[:h.n] {
		if b.unit() == UnitUSD && !b.Observe {
			return true
		}
	}
	return false
}
