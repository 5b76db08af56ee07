package farebox

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// ReceiptSchema is the version of a receipt's and an adjustment's JSON form. A change that a reader of older
// files would misread raises it; new fields do not.
const ReceiptSchema = 1

// Source says where a receipt's cost comes from.
type Source string

// The sources, best first.
const (
	// Reported: the provider stated what it charged.
	Reported Source = "reported"
	// Computed: from the usage that the provider reported and a price of the catalog.
	Computed Source = "computed"
	// Estimated: from the text that passed, since the provider reported no usage, where budgets stay charged at the hold;
	// or from the usage at a service tier whose price is not known (see FlagAssumedTier).
	Estimated Source = "estimated"
	// Held: the outcome is unknown, so the most that it can have cost is taken as spent, until it is reconciled.
	Held Source = "held"
	// Unbilled: it cost nothing, with proof: nothing was written, or the status is one that is not billed.
	Unbilled Source = "unbilled"
	// Unpriced: the model has no price. The cost is unknown, not zero.
	Unpriced Source = "unpriced"
)

// Flag marks something about a receipt that a reader should know.
type Flag string

// The flags.
const (
	// FlagContradictoryUsage: the usage as reported contradicts itself; the receipt holds the nearest reading that is
	// never negative, and RawUsage what was reported.
	FlagContradictoryUsage Flag = "contradictory_usage"
	// FlagIncompletePrice: a quantity has no rate, so that the computed cost is short of it. Budgets stay charged at the
	// hold.
	FlagIncompletePrice Flag = "incomplete_price"
	// FlagOverrun: it cost more than was held for it. Booked in full.
	FlagOverrun Flag = "overrun"
	// FlagAssumedLimit: the most it can cost rests on an assumption, not on a limit of the request or the model.
	FlagAssumedLimit Flag = "assumed_limit"
	// FlagAssumedTier: a service tier or a faster mode served that the price has nothing to say on. The cost is that of the
	// standard tier, and where the provider charges more for the other one 2.5 times that (6 times for a faster mode).
	FlagAssumedTier Flag = "assumed_tier"
	// FlagUnreadableBody: the answer could not be read for usage (an encoding that is not understood).
	FlagUnreadableBody Flag = "unreadable_body"
	// FlagReportedZero: the provider states that the call cost nothing, although the catalog has a price for it: a free
	// tier, a promotion, or a host that bills in another way (Grok on Azure).
	FlagReportedZero Flag = "reported_zero"
	// FlagWithoutStore: the store of budgets could not be asked, and the call was admitted all the same.
	FlagWithoutStore Flag = "without_store"
	// FlagInterrupted: the process died while the attempt was in flight. The next one found it in the journal and made the
	// receipt; see [WithJournal].
	FlagInterrupted Flag = "interrupted"
	// FlagWouldRefuse: a budget that only observes would have refused the call.
	FlagWouldRefuse Flag = "would_refuse"
)

// Receipt is the one record of one physical attempt. It is immutable: what is learned later about its cost is an
// [Adjustment]. It holds no key and no text of the prompt or the answer.
type Receipt struct {
	Schema int `json:"schema"`
	// ID is the attempt's, a ULID: it sorts by time. CallID is shared by all attempts of one call.
	ID      string `json:"id"`
	CallID  string `json:"call_id"`
	Attempt int    `json:"attempt"` // 1 for the first

	Start            time.Time     `json:"start"`
	Duration         time.Duration `json:"duration_ns"`
	TimeToFirstChunk time.Duration `json:"time_to_first_chunk_ns,omitzero"` // of a stream; zero: none came

	Endpoint    string `json:"endpoint"`
	KeyLabel    string `json:"key_label,omitzero"`
	KeyHash     string `json:"key_hash,omitzero"` // the first 8 hex digits of its SHA-256
	Operation   string `json:"operation"`         // as in the GenAI conventions: chat, text_completion, embeddings
	Stream      bool   `json:"stream,omitzero"`
	ModelAsked  string `json:"model_asked"`
	Model       string `json:"model,omitzero"`    // the model that served; empty where no answer named one
	Upstream    string `json:"upstream,omitzero"` // the provider behind a gateway
	ServiceTier string `json:"service_tier,omitzero"`
	Region      string `json:"region,omitzero"` // where it was served, if the answer says so
	Speed       string `json:"speed,omitzero"`  // the mode that served, if the answer says so: "fast"
	Tags        Tags   `json:"tags,omitempty"`

	Status       int      `json:"status,omitzero"`        // of the answer; 0: there was none
	RequestID    string   `json:"request_id,omitzero"`    // the provider's, for its support
	GenerationID string   `json:"generation_id,omitzero"` // the answer's id; at OpenRouter its cost can be looked up by it
	FinishReason string   `json:"finish_reason,omitzero"`
	ErrorType    string   `json:"error_type,omitzero"` // see APIError.ErrorType; empty: the answer is whole
	Partial      bool     `json:"partial,omitzero"`    // the answer was cut short, by either side
	Edits        []string `json:"edits,omitempty"`     // what farebox changed in the request
	Flags        []Flag   `json:"flags,omitempty"`
	// FittedOutput is the output limit that a call was given to fit a budget; see [Fit]. 0: it kept its own.
	FittedOutput int64 `json:"fitted_output,omitzero"`

	Usage      Usage           `json:"usage,omitzero"`
	Iterations []Iteration     `json:"iterations,omitempty"` // what was consumed, and is billed, beside Usage
	RawUsage   json.RawMessage `json:"raw_usage,omitempty"`  // as the provider wrote it

	// Cost is what the attempt is taken to have cost; Source says why. Unknown where Source is Unpriced.
	Cost   Money  `json:"cost"`
	Source Source `json:"source"`
	// Lines and Computed are the cost by the catalog's price, whatever Cost was taken from: Computed is their sum.
	Lines    []Line `json:"lines,omitempty"`
	Computed Money  `json:"computed,omitzero"`
	// Reported is what the provider stated; nil: nothing.
	Reported *ReportedCost `json:"reported,omitempty"`
	// Price says which price Computed was made with.
	Price PriceRef `json:"price,omitzero"`

	// Quote is what the attempt was thought to cost before it was sent.
	Quote QuotedCost `json:"quote,omitzero"`
	// Budgets are the budgets that were charged.
	Budgets []BudgetCharge `json:"budgets,omitempty"`
}

// ReportedCost is what a provider states that a call cost.
type ReportedCost struct {
	// Charge is the endpoint's own charge, rounded half to even to $1e-12; Literal is the figure as it was written,
	// in Field.
	Charge  Money  `json:"charge"`
	Literal string `json:"literal"`
	Field   string `json:"field"`
	// BYOK says that the call went out with a key of the user's own behind the gateway. Upstream is then what that
	// key's provider bills, which comes on top of Charge.
	BYOK            bool   `json:"byok,omitzero"`
	Upstream        Money  `json:"upstream,omitzero"`
	UpstreamLiteral string `json:"upstream_literal,omitzero"`
	// CreditFee is what the credit for the charge cost to buy, by the endpoint's [Terms].
	CreditFee Money `json:"credit_fee,omitzero"`
}

// Total is what the call costs in all: the charge with its credit fee, and with a key of the user's own the upstream's
// bill too.
func (c *ReportedCost) Total() Money {
	total := c.Charge.Add(c.CreditFee)
	if c.BYOK {
		return total.Add(c.Upstream)
	}
	return total
}

// PriceRef names the price that a cost was computed with.
type PriceRef struct {
	Provider string    `json:"provider,omitzero"`
	Model    string    `json:"model,omitzero"`
	Source   string    `json:"source,omitzero"`
	AsOf     time.Time `json:"as_of,omitzero"`
	From     time.Time `json:"from,omitzero"`
	// ServiceTier, Region and Speed are those that it was priced at; see [When].
	ServiceTier string `json:"service_tier,omitzero"`
	Region      string `json:"region,omitzero"`
	Speed       string `json:"speed,omitzero"`
	// Terms are those of the endpoint; nil: none.
	Terms *Terms `json:"terms,omitempty"`
}

// QuotedCost is the quote that an attempt was held at.
type QuotedCost struct {
	Expected Money `json:"expected"`
	Most     Money `json:"most"`
}

// BudgetCharge says what one budget was charged for an attempt.
type BudgetCharge struct {
	Budget string `json:"budget"`
	// Value is the value of the tag, for a budget per tag.
	Value string `json:"value,omitzero"`
	// Held is what was set aside before the call, Charged what was booked after it; both are rounded up to $1e-9.
	Held    Money `json:"held"`
	Charged Money `json:"charged"`
	// Unit is what the budget counts in. In tokens and requests the figures are HeldCount and ChargedCount.
	Unit         Unit  `json:"unit,omitzero"`
	HeldCount    int64 `json:"held_count,omitzero"`
	ChargedCount int64 `json:"charged_count,omitzero"`
}

// Adjustment is what was learned about an attempt's cost after its receipt was written: appended to the ledger, never
// written over the receipt.
type Adjustment struct {
	Schema    int       `json:"schema"` // [ReceiptSchema]
	ReceiptID string    `json:"receipt_id"`
	At        time.Time `json:"at"` // when it was learned
	// Amount is added to the receipt's cost: negative where the attempt was cheaper than was taken.
	Amount Money  `json:"amount"`
	Reason string `json:"reason"` // where the figure is from, in the caller's words
	// Usage is what the attempt consumed, where that was learned too: of an answer that was made in the background, of the
	// results of a batch. Nil elsewhere.
	Usage *Usage `json:"usage,omitempty"`
}

// String says in a line what the attempt was and what it cost: "openai gpt-4o-mini: 1000 in, 5 out, $0.0001455 computed".
func (r Receipt) String() string {
	cost := r.Cost.String()
	if r.Source == Unpriced {
		cost = "cost unknown,"
	}
	return fmt.Sprintf("%s %s: %d in, %d out, %s %s",
		r.Endpoint, modelOf(&r), r.Usage.InputTokens(), r.Usage.OutputTokens(), cost, r.Source)
}

// Settled says whether the cost is known, rather than estimated, held at its most or unknown.
func (r Receipt) Settled() bool {
	return r.Source == Reported || r.Source == Computed || r.Source == Unbilled
}

// HasFlag says whether the receipt carries a flag.
func (r Receipt) HasFlag(f Flag) bool {
	return slices.Contains(r.Flags, f)
}

// CostOf adds up the cost of receipts.
func CostOf(receipts []Receipt) Money {
	var sum Money
	for i := range receipts {
		sum = sum.Add(receipts[i].Cost)
	}
	return sum
}
