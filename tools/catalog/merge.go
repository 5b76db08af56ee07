package main

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// billsLike names providers of which genai-prices says that they bill another one's models at its prices. A name
// that catwalk lists there, and genai-prices only at the other, gets the other's prices.
var billsLike = map[string]string{"azure": "openai"}

// summary tells what a merge did.
type summary struct {
	disagreements []string       // both lists price a model and differ by more than 1 %
	leftOut       map[string]int // reason to number of models
}

func (s *summary) leave(reason string) { s.leftOut[reason]++ }

// merger joins the two lists, by the rule in the package comment.
type merger struct {
	genai   []*genaiModel // in the source's order, in which the first pattern that accepts a name wins
	catwalk []model       // models that only catwalk has

	genaiAsOf string // its prices from later days on are announced, not current
	summary   summary
}

// merge returns the models of the snapshot. genaiAsOf is the date of genai-prices.
func merge(genai []genaiModel, catwalk, aisdk []model, genaiAsOf string) ([]model, summary) {
	mg := &merger{genaiAsOf: genaiAsOf, summary: summary{leftOut: map[string]int{}}}
	for _, m := range genai {
		if m.skipped != "" {
			mg.summary.leave(m.skipped)
			continue
		}
		mg.genai = append(mg.genai, &m)
		if strings.HasPrefix(m.name, "gemini") && m.provider == "google" {
			mg.genai = append(mg.genai, m.at("vertex")) // genai-prices lists the two as one provider
		}
	}
	for _, m := range catwalk {
		mg.addCatwalk(m)
	}
	for _, m := range aisdk {
		sameModel := func(other model) bool { return other.provider == m.provider && other.name == m.name }
		if mg.findExact(m.provider, m.name) == nil && !slices.ContainsFunc(mg.catwalk, sameModel) {
			mg.catwalk = append(mg.catwalk, m)
		}
	}
	for _, m := range attested() {
		if known := mg.find(m); known != nil {
			known.alsoNamed(m.name)
		}
	}
	return mg.result(), mg.summary
}

// at returns a copy of the model as another provider sells it.
func (m *genaiModel) at(provider string) *genaiModel {
	twin := *m
	twin.provider = provider
	twin.aliases = slices.Clone(m.aliases)
	return &twin
}

// find returns the model of genai-prices that carries m's name or else the first whose pattern accepts it. A pattern
// never invents a name here: m's name is one that a list spells out.
func (mg *merger) find(m model) *genaiModel {
	if known := mg.findExact(m.provider, m.name); known != nil {
		return known
	}
	for _, known := range mg.genai {
		if known.provider == m.provider && known.match.accepts(m.name) == yes {
			return known
		}
	}
	return nil
}

func (mg *merger) findExact(provider, name string) *genaiModel {
	sameName := func(other string) bool { return strings.EqualFold(name, other) }
	for _, known := range mg.genai {
		if known.provider == provider && (sameName(known.name) || slices.ContainsFunc(known.aliases, sameName)) {
			return known
		}
	}
	return nil
}

func (mg *merger) addCatwalk(m model) {
	known := mg.find(m)
	if like, ok := billsLike[m.provider]; known == nil && ok {
		if other := mg.findExact(like, m.name); other != nil {
			known = other.at(m.provider)
			mg.genai = append(mg.genai, known)
		}
	}
	switch {
	case known != nil:
		mg.compare(known, m)
		known.alsoNamed(m.name)
		known.addFacts(m)
	case m.prices == nil:
		mg.summary.leave("no price in catwalk, unknown in genai-prices")
	case !m.free && unpricedPart(m.name, m.embedding, m.prices[0].rates) != "":
		mg.summary.leave(unpricedPart(m.name, m.embedding, m.prices[0].rates))
	default:
		mg.catwalk = append(mg.catwalk, m)
	}
}

// alsoNamed adds an exact name.
func (m *genaiModel) alsoNamed(name string) {
	switch {
	case m.name == "":
		m.name = name
	case m.name != name && !slices.Contains(m.aliases, name):
		m.aliases = append(m.aliases, name)
	}
}

// addFacts fills in what other knows and m does not.
func (m *genaiModel) addFacts(other model) {
	if m.contextTokens == 0 {
		m.contextTokens = other.contextTokens
	}
	m.inputs = m.inputs.with(other.inputs)
	if m.tools == unknown {
		m.tools = other.tools
	}
	if m.reasoning == unknown {
		m.reasoning = other.reasoning
	}
}

// compare notes where the lists differ.
func (mg *merger) compare(known *genaiModel, m model) {
	if m.prices == nil || m.free || known.free || known.variable {
		return
	}
	ours := known.prices[0]
	for _, p := range known.prices {
		if p.from <= mg.genaiAsOf {
			ours = p
		}
	}
	for _, dimension := range []string{"input", "output"} {
		a, b := ours.rates[dimension], m.prices[0].rates[dimension]
		if differ(a, b) {
			mg.summary.disagreements = append(mg.summary.disagreements,
				fmt.Sprintf("%s/%s %s: %s in genai-prices, %s in catwalk", m.provider, m.name, dimension, a, b))
		}
	}
}

// differ reports whether two decimals are more than 1 % of the larger one apart; a missing one differs from none.
func differ(a, b string) bool {
	x, okX := new(big.Rat).SetString(a)
	y, okY := new(big.Rat).SetString(b)
	if !okX || !okY {
		return false
	}
	if x.Cmp(y) < 0 {
		x, y = y, x
	}
	gap := new(big.Rat).Sub(x, y)
	return gap.Mul(gap, big.NewRat(100, 1)).Cmp(x) > 0
}

// result lists the models, each name once per provider.
func (mg *merger) result() []model {
	var all []model
	for _, m := range mg.genai {
		all = append(all, m.model)
	}
	all = append(all, mg.catwalk...)

	taken := map[string]bool{}
	var models []model
	for _, m := range all {
		names := slices.DeleteFunc(append([]string{m.name}, m.aliases...), func(name string) bool {
			return name == "" || taken[m.provider+" "+name]
		})
		if len(names) == 0 {
			mg.summary.leave("no exact name of its own")
			continue
		}
		for _, name := range names {
			taken[m.provider+" "+name] = true
		}
		m.name, m.aliases = names[0], names[1:]
		m.maxOutput = outputLimit(m)
		models = append(models, m)
	}
	return models
}
