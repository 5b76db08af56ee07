package usage

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
)

// ticksExponent: xAI counts in ticks of 1e-10 dollars.
const ticksExponent = -10

// litellmCost is the header in which a LiteLLM proxy states what a call cost.
const litellmCost = "x-litellm-response-cost"

// Costs is what a usage object says about money, each figure as it was written; empty where it says nothing.
type Costs struct {
	cost      string // usage.cost
	total     string // usage.cost.total_cost
	ticks     string
	estimated string // usage.estimated_cost
	gateway   string // usage.pydantic_ai_gateway.cost_estimate

	byok        bool
	upstream    string // usage.cost_details.upstream_inference_cost
	upstreamIn  string // its part for the input
	upstreamOut string // its part for the output
	impossible  bool   // a figure below zero
}

// Member reads the member of a usage object that r stands at, where it is about money; any other passes by.
func (c *Costs) Member(r *jsonwalk.Reader) {
	switch string(r.Key()) {
	case "cost":
		if r.Kind() == jsonwalk.Object {
			c.total = c.costObject(r)
		} else {
			c.cost = c.figure(r)
		}
	case "cost_in_usd_ticks":
		c.ticks = c.figure(r)
	case "estimated_cost":
		c.estimated = c.figure(r)
	case "pydantic_ai_gateway":
		c.gateway = c.inside(r, "cost_estimate")
	case "is_byok":
		c.byok = r.True()
	case "cost_details":
		c.details(r)
	}
}

// Tell puts what was stated into an answer. A later object that states no cost leaves what an earlier one stated.
func (c *Costs) Tell(a *wire.Answer) {
	if reported := c.reported(); reported.Literal != "" {
		a.Reported = reported
	}
	a.BYOK = c.byok
	a.Upstream = c.upstreamCost()
	a.Contradictory = a.Contradictory || c.impossible
}

// costObject reads the object in which Perplexity states its costs.
func (c *Costs) costObject(r *jsonwalk.Reader) (total string) {
	if !r.Object() {
		return ""
	}
	dollars := true
	for r.Member() {
		switch string(r.Key()) {
		case "total_cost":
			total = c.figure(r)
		case "currency":
			currency, _, ok := r.Text()
			dollars = !ok || bytes.EqualFold(currency, []byte("USD"))
		}
	}
	if !dollars {
		return ""
	}
	return total
}

// inside reads one figure of an object.
func (c *Costs) inside(r *jsonwalk.Reader, name string) (figure string) {
	if !r.Object() {
		return ""
	}
	for r.Member() {
		if string(r.Key()) == name {
			figure = c.figure(r)
		}
	}
	return figure
}

func (c *Costs) details(r *jsonwalk.Reader) {
	if !r.Object() {
		return
	}
	for r.Member() {
		switch string(r.Key()) {
		case "upstream_inference_cost":
			c.upstream = c.figure(r)
		case "upstream_inference_prompt_cost", "upstream_inference_input_cost":
			c.upstreamIn = c.figure(r)
		case "upstream_inference_completions_cost", "upstream_inference_output_cost":
			c.upstreamOut = c.figure(r)
		}
	}
}

// figure reads an amount as it is written, between quotes or without. Null and what is no number are no figure, and
// neither is an amount below zero.
func (c *Costs) figure(r *jsonwalk.Reader) string {
	literal := string(bytes.Trim(r.Raw(), `"`))
	switch {
	case !jsonwalk.IsNumber([]byte(literal)):
		return ""
	case literal[0] == '-':
		c.impossible = true
		return ""
	}
	return literal
}

// reported is what the endpoint says that the call cost. Where it says so more than once its own charge goes before
// estimates.
func (c *Costs) reported() wire.ReportedCost {
	switch {
	case c.cost != "":
		return wire.ReportedCost{Literal: c.cost, Field: "usage.cost"}
	case c.total != "":
		return wire.ReportedCost{Literal: c.total, Field: "usage.cost.total_cost"}
	case c.ticks != "":
		return wire.ReportedCost{Literal: c.ticks, Exponent: ticksExponent, Field: "usage.cost_in_usd_ticks"}
	case c.estimated != "":
		return wire.ReportedCost{Literal: c.estimated, Field: "usage.estimated_cost"}
	case c.gateway != "":
		return wire.ReportedCost{Literal: c.gateway, Field: "usage.pydantic_ai_gateway.cost_estimate"}
	}
	return wire.ReportedCost{}
}

// upstreamCost is what the upstream provider bills to the caller's own key. Without such a key the same fields are
// a part of the gateway's charge and nothing that anyone owes beside it.
func (c *Costs) upstreamCost() wire.ReportedCost {
	const field = "usage.cost_details.upstream_inference_cost"
	if !c.byok {
		return wire.ReportedCost{}
	}
	literal := c.upstream
	if literal == "" {
		literal = addDecimals(c.upstreamIn, c.upstreamOut)
	}
	if literal == "" {
		return wire.ReportedCost{}
	}
	return wire.ReportedCost{Literal: literal, Field: field}
}

// CostInHeaders reads the cost that a LiteLLM proxy states in the headers of an answer, whatever format it is in; it changes
// nothing where there is none, or where the answer itself states one. The head of a stream is sent before anybody knows what
// it will cost: a figure in it is not of this answer.
func CostInHeaders(of *wire.Request, head http.Header, a *wire.Answer) {
	if a.Reported.Literal != "" || of.Stream || strings.HasPrefix(head.Get("Content-Type"), "text/event-stream") {
		return
	}
	literal := strings.TrimSpace(head.Get(litellmCost))
	if jsonwalk.IsNumber([]byte(literal)) && literal[0] != '-' {
		a.Reported = wire.ReportedCost{Literal: literal, Field: litellmCost}
	}
}
