package farebox

import (
	"math"
	"strings"
	"time"

	"github.com/farebox-go/farebox/internal/wire"
)

// Quote is what a request will cost before it is sent.
type Quote struct {
	Endpoint string `json:"endpoint"`
	Model    string `json:"model"`
	// Expected is the likely cost and Most the dearest that one attempt can be. Both are unknown where Priced is false.
	Expected Money `json:"expected"`
	Most     Money `json:"most"`
	Priced   bool  `json:"priced"`
	// InputTokens is the likely number of input tokens, MostInputTokens a bound on it. InputBasis says what they rest on:
	// "bytes" of the text; or a count that is "exact" in the model's own vocabulary, "estimated" from another one, or
	// "bounded", a part being taken at its largest; or the "provider", by [WithProviderCounts].
	InputTokens     int64  `json:"input_tokens"`
	MostInputTokens int64  `json:"most_input_tokens"`
	InputBasis      string `json:"input_basis"`
	// MostOutputTokens is the output limit, of all choices together: the request's, else the model's.
	MostOutputTokens int64 `json:"most_output_tokens"`
	// Assumed says that a limit was not to be had from the request or the catalog, so that Most rests on an assumption:
	// an output of 16,384 tokens, how often a provider uses its tools, or what a file adds to the input.
	Assumed bool `json:"assumed,omitzero"`
	// Price is the price that Most was made with: the dearest of those that the request may be served at.
	Price PriceRef `json:"price,omitzero"`
}

// Figures that stand in for what neither request nor catalog says.
const (
	assumedOutputTokens  = 16_384  // the limit that gateways assume where none is set
	assumedContextTokens = 200_000 // of what a provider keeps of a conversation, where the model's context is not known
	expectedOutputTokens = 500     // answers in recorded traffic have a median of about 400 tokens
	bytesPerToken        = 4       // of English text; used for what is likely, never for what is most
	tokensPerMessage     = 8       // what is added to a message for its role and separators, to a text for its ends, rounded up
	tokensPerTool        = 32      // what providers add around a tool's schema, rounded up
	tokensPerChat        = 128     // reply priming, a model's own system text
	tokensForTools       = 768     // the preamble where any tool is offered: up to 700 in recorded traffic
	expectedImageTokens  = 800
	mostImageTokens      = 16_384  // of Qwen's largest, the most of any family that is counted; see internal/prompt
	mostMiniImageTokens  = 50_000  // gpt-4o-mini counts an image at 33 times its size
	mostMediaTokens      = 200_000 // of a recording; of a file or a video too where the model's context is not known
	mostSearchTokens     = 32_000  // input, or cited text, that a provider's search may add
	mostSearches         = 10
	mostToolCalls        = 10 // of tools that the provider runs
)

// mostSearchRate is the dearest search in use ($50 per 1,000 at OpenAI's high context size), for models whose
// search price is not in the catalog.
var mostSearchRate = MustRate("0.05")

// extent is how large a request may be: what it is likely to consume, and a bound on it.
type extent struct {
	inputs, mostInputs   int64
	outputs, mostOutputs int64
	fewestOutputs        int64 // a lower limit is raised to this
	beside               int64 // output of a choice that its limit does not count
	searches             int64
	toolUses, toolInputs int64 // of tools that the provider runs, and the input that these add
	limitedTools         bool  // the request limits their uses
	dearInput            []int // places whose rates an input token may be charged at
	dearOutput           []int
	asked                conditions // of the request: service tier, region, speed
	dearTier             bool       // the provider charges more for the tier than its standard price
	serverTools          bool
	units                map[string]int64 // that the request itself fixes
	routing              *wire.Routing    // behind a gateway; nil: nothing is said
	assumed              bool
	basis                string     // of the input
	counted              inputCount // where tokens were counted
}

var (
	textInputs  = []int{atInput, atCacheRead, atCacheWrite}
	longInputs  = []int{atInput, atCacheRead, atCacheWrite, atCacheWrite1h}
	mediaInputs = []int{atInput, atCacheRead, atCacheWrite, atCacheWrite1h, atAudioInput, atAudioCacheRead, atImageInput, atImageCacheRead, atVideoInput}
	textOutputs = []int{atOutput, atReasoning}
	mediaOutput = []int{atOutput, atReasoning, atAudioOutput, atImageOutput, atVideoOutput}
)

// measure bounds a request for one model, asked for under a name. A token of text is at least one byte long in every byte-level
// vocabulary, so bytes bound tokens without counting any.
func measure(r *wire.Request, p *provider, name string, m *Model) extent {
	unsized := int64(r.Videos + r.Files) // their bytes, where they are in the request at all, say nothing of their tokens
	media := saturatingAdd(int64(r.Audios)*mostMediaTokens, saturatingMul(unsized, max(m.ContextTokens, mostMediaTokens)))
	imageTokens := int64(mostImageTokens)
	if strings.Contains(name, "4o-mini") {
		imageTokens = mostMiniImageTokens
	}
	e := extent{
		inputs:     r.InputTokens + r.TextBytes/bytesPerToken + int64(r.Images)*expectedImageTokens + 1,
		mostInputs: r.InputTokens + r.TextBytes + mostOverhead(r) + int64(r.Images)*imageTokens,
		dearInput:  textInputs, dearOutput: textOutputs, basis: "bytes",
		fewestOutputs: p.fewestOutputs, beside: r.BesideLimit, dearTier: p.charges(r.ServiceTier), units: r.Units, serverTools: r.ServerTools,
		asked: conditions{tier: r.ServiceTier, region: r.Region, speed: r.Speed},
	}
	e.mostInputs = saturatingAdd(e.mostInputs, media)
	e.assumed = unsized > 0 && m.ContextTokens == 0
	if p.routes {
		e.routing = &r.Routing
	}
	if isChat(r.Operation) {
		e.mostInputs = saturatingAdd(e.mostInputs, p.ownPrompt)
	}
	if r.HiddenInput { // as much of it as the context holds
		e.mostInputs = saturatingMul(max(m.ContextTokens, assumedContextTokens), int64(max(r.Inputs, 1)))
		e.assumed = e.assumed || m.ContextTokens == 0
	}
	if r.LongCache {
		e.dearInput = longInputs
	}
	if r.Images+r.Audios+r.Videos+r.Files > 0 {
		e.dearInput = mediaInputs
	}
	if r.AudioOutput || r.ImageOutput || m.Outputs&(ModalityAudio|ModalityImage) != 0 {
		e.dearOutput = mediaOutput
	}
	e.keepToContext(r, m)
	if r.WebSearch || r.ServerTools {
		e.useTools(r, p, m)
	}
	if writes(r.Operation) {
		e.limitOutput(r, m)
	}
	return e
}

// useTools bounds what the provider's tools cost. After each use the model reads the conversation again, which is charged
// as input again: a context window at most. Gateways may pass a request on to a provider that keeps to no limit.
func (e *extent) useTools(r *wire.Request, p *provider, m *Model) {
	e.limitedTools = r.ToolUses > 0 && (r.Searches > 0 || !r.WebSearch) && !p.routes
	switch {
	case e.limitedTools && m.ContextTokens > 0:
		e.toolUses, e.searches = r.ToolUses, r.Searches
		e.toolInputs = saturatingMul(r.ToolUses, m.ContextTokens)
	case e.limitedTools:
		e.toolUses, e.searches = r.ToolUses, r.Searches
		e.toolInputs, e.assumed = saturatingMul(r.ToolUses, mostSearchTokens), true
	default:
		e.toolUses, e.searches = mostToolCalls, mostSearches
		e.toolInputs, e.assumed = mostSearchTokens, true
	}
	if !r.WebSearch {
		e.searches = 0
	}
	e.mostInputs = saturatingAdd(e.mostInputs, e.toolInputs)
	e.keepToContext(r, m)
}

// isChat says whether a request is a conversation, which providers put words of their own around.
func isChat(op wire.Operation) bool {
	return op == wire.Chat || op == wire.GenerateContent || op == wire.Batch
}

// writes says whether the answer to a request is made of tokens that are charged for.
func writes(op wire.Operation) bool {
	return op != wire.Embeddings && op != wire.Rerank && op != wire.OCR
}

// mostOverhead bounds what a provider adds to the text of a request.
func mostOverhead(r *wire.Request) int64 {
	if !isChat(r.Operation) {
		return int64(max(r.Inputs, 1)) * tokensPerMessage
	}
	overhead := int64(r.Messages)*tokensPerMessage + int64(max(r.Inputs, 1))*tokensPerChat
	if r.Tools > 0 {
		overhead += int64(r.Tools)*tokensPerTool + int64(max(r.Inputs, 1))*tokensForTools
	}
	return overhead
}

// keepToContext bounds the input by the model's context window.
func (e *extent) keepToContext(r *wire.Request, m *Model) {
	if m.ContextTokens > 0 && writes(r.Operation) {
		most := saturatingMul(m.ContextTokens, int64(max(r.Inputs, 1)))
		if e.limitedTools {
			most = saturatingAdd(most, e.toolInputs)
		}
		e.mostInputs = min(e.mostInputs, most)
	}
	e.inputs = min(e.inputs, e.mostInputs)
}

// limitOutput bounds the output: by the request's limit, the model's, or its context window.
func (e *extent) limitOutput(r *wire.Request, m *Model) {
	limit := r.MaxOutput
	if limit <= 0 {
		limit = m.MaxOutputTokens
	}
	if limit <= 0 {
		limit = m.ContextTokens
	}
	if limit <= 0 {
		limit, e.assumed = assumedOutputTokens, true
	}
	e.outputs = saturatingMul(min(limit, expectedOutputTokens), answers(r))
	e.setMostOutputs(limit, answers(r))
}

// setMostOutputs bounds the output by a limit for each choice, and what a request may be billed for beside it.
func (e *extent) setMostOutputs(limit, choices int64) {
	e.mostOutputs = saturatingMul(saturatingAdd(max(limit, e.fewestOutputs), e.beside), choices)
}

// answers is the number of answers that a request asks for, each up to the output limit.
func answers(r *wire.Request) int64 {
	return saturatingMul(int64(max(r.Choices, 1)), int64(max(r.Inputs, 1)))
}

func saturatingAdd(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

func saturatingMul(a, b int64) int64 {
	if b != 0 && a > math.MaxInt64/b {
		return math.MaxInt64
	}
	return a * b
}

// payload is what a request holds, and the wire format that it is in.
type payload struct {
	format        wire.Format
	body          []byte
	providerCount int64 // of its tokens; 0: the provider was not asked
}

// quoted is a quote with the price it was made with, kept for settling.
type quoted struct {
	Quote
	model   *catalogModel // of the model asked for; nil where it has no price
	table   *priceTable
	bound           // of that model
	others  []bound // of the fallback models
	choices int64   // answers that share the output limit
}

// bound is the dearest that a model can be, with the extent of the request for it.
type bound struct {
	ceiling ceiling
	extent  extent
}

// quote prices a request at an endpoint. Where a gateway may serve any of several models, it is as dear as the
// dearest, and unpriced where one of them is.
//
// The input is bounded by its bytes or, where the payload is given and its form is read, counted.
func (m *Meter) quote(ep *endpoint, r *wire.Request, p *payload, now time.Time) quoted {
	q := quoted{Quote: Quote{Endpoint: ep.name, Model: r.Model, Priced: true}, choices: answers(r)}
	m.quoteModel(&q, ep, r, r.Model, p, now)
	for _, fallback := range r.Models {
		if fallback != r.Model {
			m.quoteModel(&q, ep, r, fallback, p, now)
		}
	}
	return q
}

// quoteModel raises a quote to what one more model would cost.
func (m *Meter) quoteModel(q *quoted, ep *endpoint, r *wire.Request, name string, p *payload, now time.Time) {
	if name == "" && len(r.Models) > 0 {
		return // OpenRouter takes the models of the list where no model is named
	}
	entry, table := m.price(ep, name, now)
	if table == nil || table.variable {
		entry, table = m.unpriced, m.unpriced.at(now)
		q.Assumed = true
	}
	e := measure(r, ep.provider, name, &entry.Model)
	if e.asked.region == "" {
		e.asked.region = ep.region()
	}
	if p != nil && !r.HiddenInput && r.Operation != wire.Batch {
		e.count(&m.tokens, ep, name, r.Operation, p)
		if p.providerCount > 0 {
			e.take(p.providerCount)
		}
		e.keepToContext(r, &entry.Model)
	}
	q.widen(e)
	if table == nil {
		entry, table = cappedPrice(e.routing)
	}
	if table == nil {
		q.Priced = false
		return
	}
	dearest := table.ceiling(&e)
	dearest.terms = ep.terms()
	if q.table == nil {
		q.model, q.table, q.bound = entry, table, bound{dearest, e}
		q.Expected = table.expected(&e, now)
		if dearest.terms != nil {
			q.Expected = dearest.terms.most(q.Expected)
		}
		q.Price = entry.ref(table)
	} else {
		q.others = append(q.others, bound{dearest, e})
	}
	q.Assumed = q.Assumed || dearest.assumed != 10
	q.Priced = q.Priced && !dearest.unpricedUnits
	if most := dearest.most(&e); q.Most.Less(most) {
		q.Most, q.Price = most, entry.ref(table)
	}
}

func (q *quoted) widen(e extent) {
	q.InputTokens = max(q.InputTokens, e.inputs)
	q.MostInputTokens = max(q.MostInputTokens, e.mostInputs)
	q.MostOutputTokens = max(q.MostOutputTokens, e.mostOutputs)
	q.Assumed = q.Assumed || e.assumed
	if q.InputBasis == "" {
		q.InputBasis = e.basis
	}
}

// inputMost is the most that the input alone can cost.
func (q *quoted) inputMost() Money {
	if q.table == nil {
		return Money{}
	}
	return q.mostWith(0)
}

// price finds the price of a model at an endpoint: one that was set for the endpoint by its name, else its provider's.
func (m *Meter) price(ep *endpoint, name string, now time.Time) (*catalogModel, *priceTable) {
	name = ep.modelNamed(name)
	entry := m.catalog.findAdded(ep.name, name)
	if entry == nil {
		entry = m.catalog.find(ep.provider.id, name)
	}
	switch {
	case entry != nil:
		return entry, entry.at(now)
	case ep.provider.givesAway(name):
		return onOwnMachine, onOwnMachine.at(now)
	}
	return nil, nil
}

// onOwnMachine is the price of a model that runs on the caller's own machine, where the user has set none.
var onOwnMachine = func() *catalogModel {
	free, err := Model{Name: "a model on your own machine", Prices: []Price{{
		Source: "your own machine", Rates: Rates{DimensionInput: Rate{}, DimensionOutput: Rate{}, DimensionRequest: Rate{}},
	}}}.compile()
	if err != nil {
		panic(err)
	}
	return free
}()

// affordableOutput is the largest output limit of one answer with which the request would cost no more than room; 0
// where the input alone costs more, or where no limit helps.
func (q *quoted) affordableOutput(room Money) int64 {
	if q.table == nil || q.MostOutputTokens == 0 || q.Most.IsZero() {
		return 0
	}
	low, high := int64(0), q.MostOutputTokens/max(q.choices, 1)
	for low < high {
		limit := high - (high-low)/2
		if room.Less(q.mostWith(limit)) {
			high = limit - 1
		} else {
			low = limit
		}
	}
	return low
}

// mostWith is the most that the request can cost with another output limit.
func (q *quoted) mostWith(limit int64) Money {
	most := q.bound.mostWith(limit, q.choices)
	for i := range q.others {
		if dearer := q.others[i].mostWith(limit, q.choices); most.Less(dearer) {
			most = dearer
		}
	}
	return most
}

func (b *bound) mostWith(limit, choices int64) Money {
	e := b.extent
	e.setMostOutputs(limit, choices)
	return b.ceiling.most(&e)
}
