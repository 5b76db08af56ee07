package farebox

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/farebox-go/farebox/internal/pricelist"
)

// PriceFormat is a form in which price lists are published.
type PriceFormat string

// The forms that farebox reads. Where each can be had, and what is taken from it, is in docs/catalog.md.
const (
	FormatFarebox             PriceFormat = "farebox"              // a file of your own: docs/prices.schema.json
	FormatOpenRouter          PriceFormat = "openrouter"           // OpenRouter's list of models
	FormatOpenRouterEndpoints PriceFormat = "openrouter-endpoints" // OpenRouter's list of one model's endpoints
	FormatGenAIPrices         PriceFormat = "genai-prices"         // pydantic/genai-prices, data.json
	FormatModelsDev           PriceFormat = "models.dev"           // models.dev, api.json
	FormatLiteLLM             PriceFormat = "litellm"              // LiteLLM, model_prices_and_context_window.json
	FormatCatwalk             PriceFormat = "catwalk"              // charmbracelet/catwalk, the list of providers
)

// priceFormats holds what differs between the forms. Where lists disagree about a model, the one with the higher rank prices
// it.
var priceFormats = map[PriceFormat]struct {
	rank int
	url  string // where its publisher keeps it
	read func(*PriceList, []byte) error
}{
	FormatFarebox:             {rank: 7, read: neutral(pricelist.Own)},
	FormatOpenRouterEndpoints: {rank: 6, read: (*PriceList).readOpenRouterEndpoints},
	FormatOpenRouter:          {rank: 5, read: (*PriceList).readOpenRouter, url: openRouterModels},
	FormatGenAIPrices:         {rank: 4, read: neutral(pricelist.GenAIPrices), url: "https://raw.githubusercontent.com/pydantic/genai-prices/main/prices/new_data/v2/data.json"},
	FormatModelsDev:           {rank: 3, read: neutral(pricelist.ModelsDev), url: "https://models.dev/api.json"},
	FormatLiteLLM:             {rank: 2, read: neutral(pricelist.LiteLLM), url: "https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json"},
	FormatCatwalk:             {rank: 1, read: neutral(pricelist.Catwalk), url: "https://catwalk.charm.land/v2/providers"},
}

// PriceList is a price list that has been read and checked. It is not to be changed.
type PriceList struct {
	Format PriceFormat
	Source string    // where it was found; stands in receipts
	AsOf   time.Time // when it said so

	Models []Model
	// Problems are rows, or parts of rows, that were left out because something is wrong with them: a negative price, one
	// in another unit, a field of another type. The other rows are in Models.
	Problems []PriceProblem
	// Skipped counts the rows that were left out by rule, by reason: no price, a price of 0 that may mean unknown, a
	// subscription's.
	Skipped map[string]int
}

// PriceProblem says what is wrong with a row of a price list.
type PriceProblem struct {
	Row    string `json:"row"` // as the list names it
	Reason string `json:"reason"`
}

// MaxPriceListBytes bounds the price lists that are read.
const MaxPriceListBytes = 64 << 20

// ReadPriceList reads a price list. source says where it was found and asOf when; both stand with its prices in receipts. Of
// a list of somebody else's a row that cannot be read or believed is left out and stands in Problems; of a file of your own
// ([FormatFarebox]) every row must be right. An error says what is wrong with the list as a whole.
func ReadPriceList(format PriceFormat, source string, asOf time.Time, list io.Reader) (*PriceList, error) {
	form, err := format.known()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(list, MaxPriceListBytes+1))
	if err == nil && len(data) > MaxPriceListBytes {
		err = fmt.Errorf("it has more than %d MiB", MaxPriceListBytes>>20)
	}
	read := &PriceList{Format: format, Source: source, AsOf: asOf}
	if err == nil {
		err = form(read, data)
	}
	if err == nil && len(read.Models) == 0 {
		err = read.nothing()
	}
	if err != nil {
		return nil, fmt.Errorf("farebox: price list %s: %w", source, err)
	}
	return read, nil
}

// known finds how a form is read.
func (f PriceFormat) known() (read func(*PriceList, []byte) error, err error) {
	form, ok := priceFormats[f]
	if !ok {
		names := slices.Sorted(maps.Keys(priceFormats))
		return nil, fmt.Errorf("farebox: %q is no form of price list that is known: want one of %v", f, names)
	}
	return form.read, nil
}

// nothing says why a list has no models.
func (l *PriceList) nothing() error {
	if len(l.Problems) == 0 {
		return errors.New("it is empty: it has no model with a price")
	}
	first := l.Problems[0]
	return fmt.Errorf("no row can be used; the first of %d: %s: %s", len(l.Problems), first.Row, first.Reason)
}

// take adds a model that makes a price, and one that can be believed.
func (l *PriceList) take(m Model) error {
	if _, err := m.compile(); err != nil {
		return err
	}
	for i := range m.Prices {
		if err := m.Prices[i].believable(); err != nil {
			return err
		}
	}
	l.Models = append(l.Models, m)
	return nil
}

// The dearest rates that are believed of a list: beyond them, somebody mistook the unit.
var (
	dearestToken = MustPerMillion("10000")
	dearestUnit  = MustRate("1000")
)

func (p *Price) believable() error {
	if p.Variable {
		return nil
	}
	for dimension, rate := range p.Rates {
		most := dearestUnit
		if _, counted := dimensionPlace(dimension); counted && !dimension.isFee() {
			most = dearestToken
		}
		if rate.Cmp(most) > 0 {
			return fmt.Errorf("%s: $%s is past what is believed ($%s): is it in another unit?", dimension, rate, most)
		}
	}
	return nil
}

// problem notes an error of a row; no error is none.
func (l *PriceList) problem(row string, err error) {
	if err != nil {
		l.Problems = append(l.Problems, PriceProblem{Row: row, Reason: err.Error()})
	}
}

func (l *PriceList) skip(reason string) {
	if l.Skipped == nil {
		l.Skipped = make(map[string]int)
	}
	l.Skipped[reason]++
}

// neutral reads a list by way of the neutral form of internal/pricelist.
func neutral(read func([]byte) (*pricelist.List, error)) func(*PriceList, []byte) error {
	return func(l *PriceList, data []byte) error {
		list, err := read(data)
		if err != nil {
			return err
		}
		l.Skipped = list.Skipped
		for _, p := range list.Problems {
			l.Problems = append(l.Problems, PriceProblem(p))
		}
		l.Models = make([]Model, 0, len(list.Models))
		for i := range list.Models {
			m, err := l.model(&list.Models[i])
			if err == nil {
				err = l.take(m)
			}
			l.problem(m.Provider+"/"+m.Name, err)
		}
		return nil
	}
}

func (l *PriceList) model(in *pricelist.Model) (Model, error) {
	m := Model{
		Provider: in.Provider, Name: in.Name, Aliases: in.Aliases, Embedding: in.Embedding,
		ContextTokens: in.ContextTokens, MaxOutputTokens: in.MaxOutputTokens,
		Inputs: Modality(in.Inputs), Outputs: Modality(in.Outputs),
		Tools: Support(in.Tools), Reasoning: Support(in.Reasoning), StructuredOutput: Support(in.StructuredOutput),
	}
	for i := range in.Prices {
		price, err := l.price(&in.Prices[i])
		if err != nil {
			return m, err
		}
		m.Prices = append(m.Prices, price)
	}
	return m, nil
}

func (l *PriceList) price(in *pricelist.Price) (p Price, err error) {
	p = Price{From: in.From, Source: l.Source, AsOf: l.AsOf, Variable: in.Variable}
	if in.Source != "" {
		p.Source = in.Source
	}
	if !in.AsOf.IsZero() {
		p.AsOf = in.AsOf
	}
	if p.Rates, err = ratesOf(in.Rates); err != nil {
		return p, err
	}
	for _, o := range in.Overrides {
		if err := p.override(o); err != nil {
			return p, err
		}
	}
	return p, nil
}

// override adds what replaces the rates: a tier where that is all there is to it.
func (p *Price) override(in pricelist.Override) error {
	rates, err := ratesOf(in.Rates)
	if err != nil {
		return err
	}
	when := whenOf(in.When)
	if (when == When{InputOver: when.InputOver, Inclusive: when.Inclusive}) && in.Multiply == "" && when.InputOver > 0 {
		p.Tiers = append(p.Tiers, Tier{Over: when.InputOver, Inclusive: when.Inclusive, Rates: rates})
		return nil
	}
	override := Override{When: when, Rates: rates}
	if in.Multiply != "" {
		if override.Multiplier, err = ParseFactor(in.Multiply); err != nil {
			return err
		}
	}
	p.Overrides = append(p.Overrides, override)
	return nil
}

func whenOf(in pricelist.When) When {
	when := When{
		InputOver: in.Over, Inclusive: in.Inclusive, ServiceTier: in.ServiceTier, Region: in.Region, Speed: in.Speed,
		Days: Days(in.Weekdays),
	}
	if in.Hours != nil {
		when.Start, when.End = TimeOfDay(in.Hours.Start), TimeOfDay(in.Hours.End)
	}
	return when
}

func ratesOf(in pricelist.Rates) (Rates, error) {
	if len(in) == 0 {
		return nil, nil
	}
	rates := make(Rates, len(in))
	for dimension, text := range in {
		rate, err := ParseRate(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dimension, errors.Unwrap(err))
		}
		rates[Dimension(dimension)] = rate
	}
	return rates, nil
}
