// Package farebox calls LLMs and keeps what they cost under caps. Like the box at the front of a bus, it takes the fare
// before the ride: a call is priced before it is sent, its money is held against every budget that applies, and it is
// refused, before a byte reaches the network, where a cap would be crossed. Afterwards it is charged what it really
// cost, and handed back with a receipt.
//
// # A client
//
// [New] makes a [Client] with the method names and types of github.com/sashabaranov/go-openai. Its responses embed
// go-openai's and add Cost, Receipt and Receipts:
//
//	client, err := farebox.New(farebox.OpenRouter(key),
//		farebox.WithBudget(farebox.Budget{Name: "prod", Cap: farebox.Dollars(50), Window: farebox.Daily}))
//
// # Under any other SDK
//
// [NewMeter] makes a [Meter], whose [Meter.HTTPClient] gives any SDK that takes an *http.Client the same guarantees.
// [ContextWithTags] says who is spending, [ContextWithReceipts] reads what a call cost.
//
// # What a receipt says
//
// Every physical attempt, retries and fallbacks included, has one [Receipt]. Its [Source] says where its cost is from:
// the provider stated it (Reported), it was computed from the usage and a dated price (Computed), estimated from the
// text that passed (Estimated), taken at its most because nobody knows the outcome (Held), known to be nothing
// (Unbilled), or is unknown (Unpriced). Unknown is never zero.
//
// # What a budget does
//
// A [Budget] is a cap in US dollars over a [Window], for a [Scope]. The most that an attempt can cost is held before it
// is sent, on all budgets that apply or on none, so the cap holds however many calls are in flight. A hold is given back
// only on proof that nothing was billed; an attempt whose outcome is unknown stays charged until [Meter.Reconcile].
//
// # Errors
//
// Every failure is one of three: farebox refused and nothing was sent ([ErrRefused], [BudgetError]), the provider said
// so ([ErrProvider], [APIError]), or the network failed ([ErrNetwork], [NetworkError]). [ReceiptsOf] says what a failed
// call cost all the same.
//
// Money is exact: there is no float between a price and a receipt. See docs/ in the repository for how prices, holds
// and streams are handled in detail.
package farebox
