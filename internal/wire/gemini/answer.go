package gemini

import (
	"bytes"
	"strings"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/document"
	"github.com/farebox-go/farebox/internal/wire/usage"
)

// maxQueries bounds the lists of searches that are read, in bytes.
const maxQueries = 16 << 10

// What an answer, or a chunk of a stream, is searched for; the places in the plan.
const (
	wantID = iota
	wantModel
	wantUsage
	wantFinish
	wantBlocked
	wantQueries
	wantImageQueries
	wantMaps
	wantTokens
	wantPredictions
	wantError
	wantText // and all that follow count text
)

var plan = document.MustPlan(wantText,
	jsonwalk.Want{Path: "responseId", Limit: document.MaxName},
	jsonwalk.Want{Path: "modelVersion", Limit: document.MaxName},
	jsonwalk.Want{Path: "usageMetadata", Limit: usage.MaxBytes},
	jsonwalk.Want{Path: "candidates[0].finishReason", Limit: document.MaxName},
	jsonwalk.Want{Path: "promptFeedback.blockReason", Limit: document.MaxName},
	jsonwalk.Want{Path: "candidates[0].groundingMetadata.webSearchQueries", Limit: maxQueries},
	jsonwalk.Want{Path: "candidates[0].groundingMetadata.imageSearchQueries", Limit: maxQueries},
	jsonwalk.Want{Path: "candidates[0].groundingMetadata.groundingChunks[].maps", Limit: jsonwalk.CountValues},
	jsonwalk.Want{Path: "predictions[].embeddings.statistics.token_count", Limit: jsonwalk.SumNumbers},
	jsonwalk.Want{Path: "predictions[].mimeType", Limit: jsonwalk.CountValues},
	jsonwalk.Want{Path: "error", Limit: document.MaxError},
	jsonwalk.Want{Path: "candidates[].content.parts[].text"},
	jsonwalk.Want{Path: "candidates[].content.parts[].functionCall.args", Limit: jsonwalk.CountRaw},
	jsonwalk.Want{Path: "candidates[].content.parts[].executableCode.code"},
)

// NewBodyReader implements [wire.Format].
func (Format) NewBodyReader(of *wire.Request) wire.Reader {
	if of.Operation == wire.Chat {
		return document.NewBody(interactionPlan, &interaction{newAnswer(of)})
	}
	return document.NewBody(plan, newAnswer(of))
}

// NewStreamReader implements [wire.Format].
func (Format) NewStreamReader(of *wire.Request) wire.StreamReader {
	if of.Operation == wire.Chat {
		return newInteractionStream(of)
	}
	return document.NewStream(plan, newAnswer(of))
}

// answer gathers what an answer says, for bodies and streams alike.
type answer struct {
	wire.Answer
	of       *wire.Request
	counts   counts
	searches int64 // that grounding made
	maps     bool  // a place of Google Maps was used
}

// finishNumbers are the reasons to finish where enumerations are asked for as numbers ($alt=json;enum-encoding=int).
var finishNumbers = map[string]string{"1": "STOP", "2": "MAX_TOKENS", "3": "SAFETY", "4": "RECITATION", "5": "OTHER"}

func newAnswer(of *wire.Request) *answer {
	return &answer{of: of, Answer: wire.Answer{Region: of.Region}}
}

// Result implements [document.Reading].
func (a *answer) Result() *wire.Answer { return &a.Answer }

// Collect implements [document.Reading].
func (a *answer) Collect(found document.Found) {
	found.Text(wantID, &a.ID)
	found.Text(wantModel, &a.Model)
	found.Text(wantBlocked, &a.FinishReason)
	found.Text(wantFinish, &a.FinishReason)
	if name, ok := finishNumbers[a.FinishReason]; ok {
		a.FinishReason = name
	}
	found.Fail(wantError, &a.Answer)
	a.ground(found)
	if raw, ok := found.Value(wantUsage); ok {
		a.usage(raw)
		if _, blocked := found.Value(wantBlocked); blocked && !a.UsageSeen { // there is nothing to count
			a.UsageSeen, a.RawUsage = true, append(a.RawUsage[:0], raw...)
		}
	}
	a.predicted(found)
}

// usage takes a usage object. The last one counts: where there are several they are running totals.
func (a *answer) usage(raw []byte) {
	if bytes.Equal(raw, a.RawUsage) {
		return
	}
	var latest counts
	if !latest.read(raw) {
		return
	}
	a.counts = latest
	a.RawUsage = append(a.RawUsage[:0], raw...)
	a.UsageSeen = true
	a.tell()
}

// tell puts the counts into the answer.
func (a *answer) tell() {
	a.Usage, a.Contradictory = a.counts.usage()
	a.counts.costs.Tell(&a.Answer)
	if a.counts.tier != "" {
		a.ServiceTier = a.counts.tier
	}
	a.Usage.WebSearches = max(a.Usage.WebSearches, a.searches)
	if a.maps {
		a.Usage.Units = map[string]int64{unitMaps: 1}
	}
}

// unitMaps is an answer that was grounded in Google Maps, charged by the prompt
// (ai.google.dev/gemini-api/docs/pricing, 2026-11).
const unitMaps = wire.UnitToolCall + "/google_maps"

// ground counts the searches that are charged for. Models before Gemini 3 are charged by the prompt that was grounded, later
// ones by every query that is not empty (ai.google.dev/gemini-api/docs/google-search, 2026-11).
func (a *answer) ground(found document.Found) {
	searches := queries(found, wantQueries) + queries(found, wantImageQueries)
	if searches > 1 && !chargedByQuery(a.servedModel()) {
		searches = 1
	}
	maps := found.Counted(wantMaps) > 0
	if searches <= a.searches && (a.maps || !maps) {
		return
	}
	a.searches, a.maps = max(a.searches, searches), a.maps || maps
	if a.UsageSeen {
		a.tell()
	}
}

func (a *answer) servedModel() string {
	if a.Model != "" {
		return a.Model
	}
	return a.of.Model
}

// chargedByQuery: a model that does not say its generation is taken for a new one.
func chargedByQuery(model string) bool {
	version, ok := strings.CutPrefix(strings.TrimPrefix(model, "models/"), "gemini-")
	return !ok || version == "" || version[0] != '1' && version[0] != '2'
}

// queries counts the queries in a list that are not empty.
func queries(found document.Found, want int) (n int64) {
	raw, ok := found.Value(want)
	if !ok {
		return 0
	}
	r := jsonwalk.NewReader(raw)
	if !r.Array() {
		return 0
	}
	for r.Element() {
		if text, _, _ := r.Text(); len(text) > 0 {
			n++
		}
	}
	return n
}

// predicted counts what Vertex's predict states in no usage object: tokens of embeddings, images that were made.
func (a *answer) predicted(found document.Found) {
	switch a.of.Operation {
	case wire.Embeddings:
		if n := found.Counted(wantTokens); n > 0 && n <= usage.MaxCount {
			a.UsageSeen = true
			a.Usage = wire.Usage{Input: n, Requests: 1}
			a.RawUsage = usage.Gather(a.RawUsage, usage.Named{Name: "token_count", Count: n})
		}
	case wire.ImageGeneration:
		if n := found.Counted(wantPredictions); n > 0 {
			a.UsageSeen = true
			a.Usage = wire.Usage{Requests: 1, Units: map[string]int64{wire.UnitImage: n}}
			a.RawUsage = usage.Gather(a.RawUsage, usage.Named{Name: "predictions", Count: n})
		}
	}
}
