package farebox

import (
	"math"
	"testing"
	"time"

	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/anthropic"
	"pgregory.net/rapid"
)

var anywhere = &endpoint{Endpoint: Endpoint{name: "anywhere", provider: generic}}

// quoter is a Meter that only quotes.
func quoter(t interface{ Fatal(...any) }, models ...Model) *Meter {
	m := &Meter{catalog: &Catalog{}, unpriced: &catalogModel{}}
	if err := m.catalog.Add(models...); err != nil {
		t.Fatal(err)
	}
	return m
}

// quotes quotes a request at one price.
func quoteAt(t testing.TB, model Model, r wire.Request) quoted {
	t.Helper()
	model.Name, r.Model = "m", "m"
	return quoter(t, model).quote(anywhere, &r, nil, noon)
}

// anyModel draws a model, of which limits and modalities may be known or not.
func anyModel(name string) *rapid.Generator[Model] {
	return rapid.Custom(func(t *rapid.T) Model {
		return Model{
			Name:            name,
			ContextTokens:   rapid.SampledFrom([]int64{0, 4_096, 200_000, 1_000_000}).Draw(t, "context"),
			MaxOutputTokens: rapid.SampledFrom([]int64{0, 1_024, 64_000}).Draw(t, "max output"),
			Outputs:         rapid.SampledFrom([]Modality{0, ModalityText, ModalityText | ModalityImage}).Draw(t, "outputs"),
			Prices:          []Price{anyPrice().Draw(t, "price")},
		}
	})
}

// anyRequest draws a request for model "m", with or without fallback to "n" and "o".
func anyRequest() *rapid.Generator[wire.Request] {
	return rapid.Custom(func(t *rapid.T) wire.Request {
		few := rapid.SampledFrom([]int{0, 0, 0, 1, 3})
		r := wire.Request{
			Operation: rapid.SampledFrom([]wire.Operation{wire.Chat, wire.Chat, wire.TextCompletion, wire.Embeddings}).Draw(t, "operation"),
			Model:     "m", Messages: few.Draw(t, "messages"), Tools: few.Draw(t, "tools"),
			TextBytes:   rapid.SampledFrom([]int64{0, 9, 3_000, 500_000}).Draw(t, "text bytes"),
			InputTokens: rapid.SampledFrom([]int64{0, 0, 1_000}).Draw(t, "input tokens"), Inputs: 1 + few.Draw(t, "inputs"),
			MaxOutput: rapid.SampledFrom([]int64{0, 1, 333, 100_000}).Draw(t, "max output"), Choices: 1 + few.Draw(t, "choices"),
			WebSearch: rapid.Bool().Draw(t, "search"), AudioOutput: rapid.Bool().Draw(t, "audio output"),
			ImageOutput: rapid.Bool().Draw(t, "image output"), LongCache: rapid.Bool().Draw(t, "long cache"),
		}
		if rapid.Bool().Draw(t, "media") {
			r.Images, r.Audios = few.Draw(t, "images"), few.Draw(t, "audios")
			r.Videos, r.Files = few.Draw(t, "videos"), few.Draw(t, "files")
		}
		r.ServerTools = rapid.Bool().Draw(t, "server tools")
		if rapid.Bool().Draw(t, "limited tools") {
			r.ToolUses = rapid.Int64Range(1, 20).Draw(t, "tool uses")
			r.Searches = rapid.Int64Range(0, r.ToolUses).Draw(t, "searches")
		}
		r.ServiceTier, r.Speed = anyTier.Draw(t, "tier"), anySpeed.Draw(t, "speed")
		if rapid.Bool().Draw(t, "fallback") {
			r.Models = []string{"m", "n", "o"}
		}
		return r
	})
}

// kindsOf are the kinds that a request may use of a model.
func kindsOf(r *wire.Request, m *Model, u *Usage) (inputs, outputs []*int64) {
	inputs = []*int64{&u.Input, &u.CacheRead, &u.CacheWrite}
	if r.LongCache {
		inputs = append(inputs, &u.CacheWrite1h)
	}
	if r.Images+r.Audios+r.Videos+r.Files > 0 {
		inputs = append(inputs, &u.CacheWrite1h, &u.AudioInput, &u.AudioCacheRead, &u.ImageInput, &u.ImageCacheRead, &u.VideoInput)
	}
	outputs = []*int64{&u.Output, &u.Reasoning}
	if r.AudioOutput || r.ImageOutput || m.Outputs&ModalityImage != 0 {
		outputs = append(outputs, &u.AudioOutput, &u.ImageOutput)
	}
	return inputs, outputs
}

// share gives a number of tokens to kinds, at random.
func share(t *rapid.T, tokens int64, kinds []*int64) {
	for _, kind := range kinds {
		*kind = rapid.Int64Range(0, tokens).Draw(t, "share")
		tokens -= *kind
	}
	if rapid.Bool().Draw(t, "all of them") {
		*kinds[0] += tokens
	}
}

// TestMostIsTheMost checks that nothing a request can use within its bounds costs more than its quote says, at whatever
// time of the day it starts and whichever of its models serves: with all that it can use in one kind of input and one
// of output, for every two of them, and with what it uses told apart at random.
func TestMostIsTheMost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		models := []Model{anyModel("m").Draw(t, "m"), anyModel("n").Draw(t, "n"), anyModel("o").Draw(t, "o")}
		r := anyRequest().Draw(t, "request")
		m := quoter(t, models...)
		q := m.quote(anywhere, &r, nil, noon)
		if !q.Priced || q.Most.Less(q.Expected) || q.MostInputTokens < q.InputTokens {
			t.Fatalf("quote %+v", q.Quote)
		}
		served := &models[0]
		if len(r.Models) > 0 {
			served = &models[rapid.IntRange(0, 2).Draw(t, "served by")]
		}
		_, table := m.price(anywhere, served.Name, noon)
		under := anyConditions().Draw(t, "served under")
		under.tier, under.speed = "", ""
		if rapid.Bool().Draw(t, "as asked") {
			under.tier, under.speed = r.ServiceTier, r.Speed
		}
		bounds := measure(&r, generic, served.Name, served)
		check := func(use func(inputs, outputs []*int64)) {
			u := Usage{Requests: 1, WebSearches: bounds.searches}
			use(kindsOf(&r, served, &u))
			if _, cost, _ := table.cost(&u, &under); q.Most.Less(cost) {
				t.Errorf("%s may cost %s at most, and %+v costs %s", served.Name, q.Most, u, cost)
			}
		}
		inputs, outputs := kindsOf(&r, served, new(Usage))
		for i := range inputs {
			for j := range outputs {
				check(func(inputs, outputs []*int64) { *inputs[i], *outputs[j] = bounds.mostInputs, bounds.mostOutputs })
			}
		}
		for range 10 {
			check(func(inputs, outputs []*int64) {
				share(t, bounds.mostInputs, inputs)
				share(t, bounds.mostOutputs, outputs)
			})
		}
	})
}

// TestMostBoundsRoundedLines prices a request in three lines, each of which rounds up, at a rate far below $1e-12.
func TestMostBoundsRoundedLines(t *testing.T) {
	t.Parallel()
	price := Price{Rates: Rates{DimensionInput: MustRate("0.0000000000000243")}}
	q := quoteAt(t, Model{Prices: []Price{price}}, wire.Request{Operation: wire.Embeddings, InputTokens: 56})
	_, cost, _ := compiled(t, price).cost(&Usage{Input: 21, CacheRead: 21, CacheWrite: 22}, &conditions{at: noon})
	if q.MostInputTokens != 64 || cost != MustMoney("0.000000000003") || q.Most.Less(cost) {
		t.Errorf("%d tokens may cost %s at most, and cost %s", q.MostInputTokens, q.Most, cost)
	}
}

// TestAffordableOutput checks that the output limit that a refusal proposes is one that fits, and that one more token
// does not.
func TestAffordableOutput(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := quoter(t, anyModel("m").Draw(t, "m"), anyModel("n").Draw(t, "n"), anyModel("o").Draw(t, "o"))
		r := anyRequest().Draw(t, "request")
		q := m.quote(anywhere, &r, nil, noon)
		room := MustMoney(rapid.SampledFrom([]string{"0", "0.0001", "0.01", "0.37", "5"}).Draw(t, "room"))
		limit := q.affordableOutput(room)
		full := q.MostOutputTokens / answers(&r)
		if limit < 0 || limit > full {
			t.Fatalf("a limit of %d tokens of %d", limit, full)
		}
		if q.MostOutputTokens == 0 || q.Most.IsZero() {
			if limit != 0 {
				t.Errorf("a limit of %d tokens, where none helps", limit)
			}
			return
		}
		with := func(limit int64) Money {
			limited := r
			limited.MaxOutput = limit
			return m.quote(anywhere, &limited, nil, noon).Most
		}
		if limit > 0 && room.Less(with(limit)) {
			t.Errorf("with %d tokens it may cost %s, and there is room for %s", limit, with(limit), room)
		}
		if limit < full && !room.Less(with(limit+1)) {
			t.Errorf("with %d tokens it would still fit: %s of %s", limit+1, with(limit+1), room)
		}
	})
}

// TestAffordableOutputOfHugeLimits checks that a limit as large as a number can be does not keep the search going.
func TestAffordableOutputOfHugeLimits(t *testing.T) {
	t.Parallel()
	model := Model{ContextTokens: math.MaxInt64, Prices: []Price{{Rates: perMillion("input", "1", "output", "1")}}}
	for _, choices := range []int{1, 7} {
		q := quoteAt(t, model, wire.Request{Operation: wire.Chat, MaxOutput: math.MaxInt64, Choices: choices, Inputs: 1})
		want := (1_000_000 - q.MostInputTokens) / int64(choices)
		if got := q.affordableOutput(Dollars(1)); got != want {
			t.Errorf("with %d choices a dollar buys %d tokens each, want %d", choices, got, want)
		}
	}
}

func TestQuoteFigures(t *testing.T) {
	t.Parallel()
	dollarEach := Price{Rates: Rates{DimensionInput: MustRate("1"), DimensionOutput: MustRate("1000")}}
	known := Model{ContextTokens: 1_000, MaxOutputTokens: 100, Prices: []Price{dollarEach}}
	nothingKnown := Model{Prices: []Price{dollarEach}}
	tests := []struct {
		name            string
		model           Model
		request         wire.Request
		mostIn, mostOut int64
		expected, most  string
		assumed         bool
	}{
		{"text: a token a byte, and what templates add", known, wire.Request{Operation: wire.Chat, Messages: 2, TextBytes: 400, MaxOutput: 10},
			400 + 2*8 + 128, 10, "10101", "10544", false},
		{"tools add to it", known, wire.Request{Operation: wire.Chat, TextBytes: 5, Tools: 3, MaxOutput: 1}, 5 + 3*32 + 768 + 128, 1, "1002", "1997", false},
		{"the context bounds the input", known, wire.Request{Operation: wire.Chat, TextBytes: 40_000, MaxOutput: 1}, 1_000, 1, "2000", "2000", false},
		{"of each prompt", known, wire.Request{Operation: wire.TextCompletion, Inputs: 3, TextBytes: 40_000, MaxOutput: 1}, 3_000, 3, "6000", "6000", false},
		{"the model's output limit", known, wire.Request{Operation: wire.Chat}, 128, 100, "100001", "100128", false},
		{"of each choice", known, wire.Request{Operation: wire.Chat, Choices: 4, MaxOutput: 5}, 128, 20, "20001", "20128", false},
		{"the context as a limit", Model{ContextTokens: 1_000, Prices: known.Prices}, wire.Request{Operation: wire.Chat}, 128, 1_000, "500001", "1000128", false},
		{"no limit known", nothingKnown, wire.Request{Operation: wire.Chat}, 128, 16_384, "500001", "16384128", true},
		{"a limit in the request", nothingKnown, wire.Request{Operation: wire.Chat, MaxOutput: 2}, 128, 2, "2001", "2128", false},
		{"embeddings have no output", nothingKnown, wire.Request{Operation: wire.Embeddings, Inputs: 9, InputTokens: 50}, 50 + 9*8, 0, "51", "122", false},
		{"a search: 10 at the dearest rate, and what they add to the input", nothingKnown,
			wire.Request{Operation: wire.Chat, MaxOutput: 1, WebSearch: true}, 32_128, 1, "1001.05", "33128.5", true},
	}
	for _, test := range tests {
		q := quoteAt(t, test.model, test.request)
		if q.MostInputTokens != test.mostIn || q.MostOutputTokens != test.mostOut || q.Assumed != test.assumed || !q.Priced {
			t.Errorf("%s: %+v, want %d in, %d out, assumed %t", test.name, q.Quote, test.mostIn, test.mostOut, test.assumed)
		}
		if q.Expected != MustMoney(test.expected) || q.Most != MustMoney(test.most) {
			t.Errorf("%s: expected %s, at most %s; want %s and %s", test.name, q.Expected, q.Most, test.expected, test.most)
		}
	}
}

// TestMostWithinToolLimits checks that a request which limits the provider's tools is quoted, without an assumption, at no
// less than the usage of any answer: every use reads a context of up to its full length again, and has its fee.
func TestMostWithinToolLimits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		model := Model{Name: "m", ContextTokens: rapid.Int64Range(1, 1_000_000).Draw(t, "context"), Prices: []Price{{Rates: Rates{
			DimensionInput: MustPerMillion("3"), DimensionOutput: MustPerMillion("15"), DimensionWebSearch: MustRate("0.01"),
			"tool_call/file_search": MustRate("0.0025"), "session/code_interpreter": MustRate("0.03"),
		}}}}
		uses := rapid.Int64Range(1, 20).Draw(t, "tool uses")
		r := wire.Request{Operation: wire.Chat, Model: "m", Inputs: 1, TextBytes: rapid.Int64Range(0, 2_000_000).Draw(t, "text"),
			MaxOutput: 10, WebSearch: true, ServerTools: true, ToolUses: uses, Searches: uses}
		m := quoter(t, model)
		q := m.quote(anywhere, &r, nil, noon)
		if q.Assumed || !q.Priced {
			t.Fatalf("%+v", q.Quote)
		}
		made := rapid.Int64Range(0, uses).Draw(t, "made")
		searches := rapid.Int64Range(0, made).Draw(t, "searches made")
		first := min(r.TextBytes, model.ContextTokens)
		u := Usage{Input: first, Output: 10, Requests: 1, WebSearches: searches, Units: map[Dimension]int64{"session/code_interpreter": made - searches}}
		for range made {
			u.Input += rapid.Int64Range(first, model.ContextTokens).Draw(t, "read again")
		}
		_, table := m.price(anywhere, "m", noon)
		if _, cost, _ := table.cost(&u, &conditions{at: noon}); q.Most.Less(cost) {
			t.Errorf("at most %s, and %+v costs %s", q.Most, u, cost)
		}
	})
}

// TestQuoteFiles checks that files are bounded by the context, and that this is assumed where it is not known.
func TestQuoteFiles(t *testing.T) {
	t.Parallel()
	price := []Price{{Rates: Rates{DimensionInput: MustRate("1")}}}
	request := wire.Request{Operation: wire.Chat, MaxOutput: 1, Files: 1}
	if q := quoteAt(t, Model{ContextTokens: 1_000_000, Prices: price}, request); q.MostInputTokens != 1_000_000 || q.Assumed {
		t.Errorf("%+v", q.Quote)
	}
	if q := quoteAt(t, Model{Prices: price}, request); q.MostInputTokens != 200_128 || !q.Assumed {
		t.Errorf("%+v", q.Quote)
	}
}

// TestLimitedToolsAreNotAssumed checks that a limit on the provider's tools is what a strict budget, which refuses
// assumptions, admits.
func TestLimitedToolsAreNotAssumed(t *testing.T) {
	t.Parallel()
	model := Model{ContextTokens: 100_000, MaxOutputTokens: 100, Prices: []Price{{Rates: perMillion("input", "1", "output", "1")}}}
	for body, admitted := range map[string]bool{
		`{"model":"m","messages":[],"tools":[{"max_uses":2,"type":"web_search_20250305","name":"web_search"}]}`: true,
		`{"model":"m","messages":[],"tools":[{"type":"web_search_20250305","name":"web_search"}]}`:              false,
	} {
		r, err := anthropic.Format{}.ReadRequest(wire.Chat, wire.Target{}, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if q := quoteAt(t, model, r); q.Assumed == admitted {
			t.Errorf("%s: %+v", body, q.Quote)
		}
	}
}

// TestQuoteMedia checks the bounds on images, which one model counts at many times their size, as a fallback too.
func TestQuoteMedia(t *testing.T) {
	t.Parallel()
	price := []Price{{Rates: Rates{DimensionInput: MustRate("1")}}}
	m := quoter(t, Model{Name: "gpt-4o", Prices: price}, Model{Name: "gpt-4o-mini", Prices: price})
	for _, test := range []struct {
		request wire.Request
		want    int64
	}{
		{wire.Request{Model: "gpt-4o", Images: 2}, 128 + 2*16_384},
		{wire.Request{Model: "gpt-4o-mini", Images: 2}, 128 + 2*50_000},
		{wire.Request{Model: "gpt-4o-mini-2024-07-18", Images: 1}, 128 + 50_000},
		{wire.Request{Model: "gpt-4o", Models: []string{"gpt-4o-mini"}, Images: 2}, 128 + 2*50_000},
		{wire.Request{Model: "gpt-4o", Audios: 1, Videos: 1, Files: 1}, 128 + 3*200_000},
	} {
		test.request.Operation, test.request.MaxOutput = wire.Chat, 1
		if q := m.quote(anywhere, &test.request, nil, noon); q.MostInputTokens != test.want || q.Most != Dollars(test.want) {
			t.Errorf("%+v: %d tokens, %s at most; want %d", test.request, q.MostInputTokens, q.Most, test.want)
		}
	}
}

func TestQuoteFallback(t *testing.T) {
	t.Parallel()
	flat := func(name, perRequest string) Model {
		return Model{Name: name, MaxOutputTokens: 10, Prices: []Price{{Rates: Rates{DimensionRequest: MustRate(perRequest)}, Source: name}}}
	}
	m := quoter(t, flat("cheap", "1"), flat("dear", "5"), Model{Name: "router", Prices: []Price{{Variable: true}}})
	tests := []struct {
		name   string
		model  string
		models []string
		most   string
		source string
		priced bool
	}{
		{"alone", "cheap", nil, "1", "cheap", true},
		{"the dearest of them", "cheap", []string{"cheap", "dear"}, "5", "dear", true},
		{"whatever the order", "dear", []string{"cheap"}, "5", "dear", true},
		{"the list alone", "", []string{"cheap", "dear"}, "5", "dear", true},
		{"one without a price", "cheap", []string{"dear", "unheard-of"}, "5", "dear", false},
		{"no price", "unheard-of", nil, "0", "", false},
		{"no model", "", nil, "0", "", false},
		{"a price that varies", "router", nil, "0", "", false},
	}
	for _, test := range tests {
		q := m.quote(anywhere, &wire.Request{Operation: wire.Chat, Model: test.model, Models: test.models, MaxOutput: 1}, nil, noon)
		if q.Priced != test.priced || q.Most != MustMoney(test.most) || q.Price.Source != test.source {
			t.Errorf("%s: %+v", test.name, q.Quote)
		}
	}
	q := m.quote(anywhere, &wire.Request{Operation: wire.Chat, Model: "cheap", Models: []string{"dear"}}, nil, noon)
	if q.Expected != Dollars(1) || q.model.Name != "cheap" {
		t.Errorf("the first model is the likely one, and not %s for %s", q.model.Name, q.Expected)
	}
}

func TestQuoteUnpricedRates(t *testing.T) {
	t.Parallel()
	m, err := NewMeter(WithCatalog(&Catalog{}), WithUnpricedRates(Rates{DimensionRequest: MustRate("3")}))
	if err != nil {
		t.Fatal(err)
	}
	q := m.quote(anywhere, &wire.Request{Operation: wire.Chat, Model: "unheard-of", MaxOutput: 1}, nil, noon)
	if !q.Priced || !q.Assumed || q.Most != Dollars(3) || q.Price.Source != "WithUnpricedRates" {
		t.Errorf("quote %+v", q.Quote)
	}
}

// TestQuotePriceInForce checks that a quote takes the price of its day, and the dearest of its hours.
func TestQuotePriceInForce(t *testing.T) {
	t.Parallel()
	fee := func(text string) Rates { return Rates{DimensionRequest: MustRate(text)} }
	model := Model{Name: "m", Prices: []Price{
		{Rates: fee("1"), Overrides: []Override{{When: When{Start: TimeOfDay(2 * time.Hour), End: TimeOfDay(3 * time.Hour)}, Rates: fee("4")}}},
		{Rates: fee("2"), From: noon.AddDate(0, 0, 1)},
	}}
	m := quoter(t, model)
	r := wire.Request{Operation: wire.Chat, Model: "m", MaxOutput: 1}
	if q := m.quote(anywhere, &r, nil, noon); q.Most != Dollars(4) || q.Expected != Dollars(1) {
		t.Errorf("today: expected %s, at most %s; want $1 and $4", q.Expected, q.Most)
	}
	if q := m.quote(anywhere, &r, nil, noon.AddDate(0, 0, 2)); q.Most != Dollars(2) {
		t.Errorf("later: at most %s, want $2", q.Most)
	}
}

func BenchmarkQuote(b *testing.B) {
	m := quoter(b, Model{Name: "m", ContextTokens: 200_000, MaxOutputTokens: 64_000, Prices: []Price{{
		Rates: perMillion("input", "1", "cache_read", "0.1", "cache_write", "1.25", "output", "10"),
		Tiers: []Tier{{Over: 100_000, Rates: perMillion("input", "2", "output", "15")}},
	}}})
	r := wire.Request{Operation: wire.Chat, Model: "m", Messages: 3, TextBytes: 3_000, Inputs: 1, Choices: 1}
	b.ReportAllocs()
	for b.Loop() {
		if q := m.quote(anywhere, &r, nil, noon); !q.Priced {
			b.Fatal("no price")
		}
	}
}

// TestOutputBeyondTheLimit bounds output that an output limit does not: what a gateway raises it to, rejected predictions
// and thinking, each for every choice.
func TestOutputBeyondTheLimit(t *testing.T) {
	t.Parallel()
	router := &endpoint{Endpoint: Endpoint{name: "router", provider: providerByID("openrouter")}}
	m := quoter(t, Model{Name: "m", MaxOutputTokens: 1000, Prices: []Price{{Rates: Rates{
		DimensionInput: {}, DimensionOutput: MustRate("1"),
	}}}})
	for name, c := range map[string]struct {
		at      *endpoint
		request wire.Request
		want    int64
	}{
		"a limit":             {anywhere, wire.Request{MaxOutput: 1}, 1},
		"a raised limit":      {router, wire.Request{MaxOutput: 1}, 16},
		"a higher one":        {router, wire.Request{MaxOutput: 17}, 17},
		"prediction":          {anywhere, wire.Request{MaxOutput: 100, BesideLimit: 5}, 105},
		"of each choice":      {anywhere, wire.Request{MaxOutput: 100, BesideLimit: 5, Choices: 3}, 315},
		"without a limit":     {anywhere, wire.Request{BesideLimit: 5}, 1005},
		"beyond all measure":  {anywhere, wire.Request{MaxOutput: math.MaxInt64 - 1, BesideLimit: 5, Choices: 2}, math.MaxInt64},
		"at a dearer tier":    {anywhere, wire.Request{MaxOutput: 2, ServiceTier: "priority"}, 5},
		"at Anthropic's tier": {&endpoint{Endpoint: Endpoint{provider: providerByID("anthropic")}}, wire.Request{MaxOutput: 2, ServiceTier: "priority"}, 2},
	} {
		c.request.Operation, c.request.Model = wire.Chat, "m"
		q := m.quote(c.at, &c.request, nil, noon)
		want := Dollars(1).Mul(c.want)
		if q.Most != want {
			t.Errorf("%s: at most %s, want %s", name, q.Most, want)
		}
		if c.want == math.MaxInt64 {
			continue
		}
		if limit := q.affordableOutput(want); q.mostWith(limit) != want {
			t.Errorf("%s: with a limit of %d at most %s, want %s", name, limit, q.mostWith(limit), want)
		}
	}
}

// TestOwnPrompt bounds the prompt that Venice puts before every chat: a recorded request of 168 tokens at most came to
// 1,575.
func TestOwnPrompt(t *testing.T) {
	t.Parallel()
	m := quoter(t, Model{Name: "m", Prices: []Price{{Rates: Rates{DimensionInput: MustRate("1")}}}})
	venice := &endpoint{Endpoint: Endpoint{provider: providerByID("venice")}}
	for operation, least := range map[wire.Operation]int64{wire.Chat: 1_575, wire.Embeddings: 1} {
		r := wire.Request{Operation: operation, Model: "m", Messages: 1, TextBytes: 32, MaxOutput: 1}
		here, there := m.quote(anywhere, &r, nil, noon), m.quote(venice, &r, nil, noon)
		if there.MostInputTokens < least || (there.Most == here.Most) != (operation == wire.Embeddings) {
			t.Errorf("%s: %d tokens, %s at most; elsewhere %s", operation, there.MostInputTokens, there.Most, here.Most)
		}
	}
}
