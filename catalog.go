package farebox

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Modality is a set of kinds of content that a model takes or gives.
type Modality uint8

// The kinds of content.
const (
	ModalityText Modality = 1 << iota
	ModalityImage
	ModalityAudio
	ModalityVideo
	ModalityFile
)

// Support says whether a model can do something. The zero value says that nobody knows.
type Support uint8

// What is known about an ability.
const (
	SupportUnknown Support = iota
	SupportNo
	SupportYes
)

// Model is a catalog's entry for one model at one provider.
type Model struct {
	// Provider is who sends the bill: "openai", "openrouter"; for an endpoint of your own, the endpoint's name.
	// Empty: the entry holds at every endpoint whose provider has none of its own.
	Provider string `json:"provider,omitzero"`
	// Name is the provider's own name of the model; Aliases are further exact names at the same price.
	Name    string   `json:"name"`
	Aliases []string `json:"aliases,omitempty"`

	ContextTokens   int64 `json:"context_tokens,omitzero"`    // context window; 0: not known
	MaxOutputTokens int64 `json:"max_output_tokens,omitzero"` // the most that one answer can have; 0: not known

	Inputs    Modality `json:"inputs,omitzero"` // 0: not known
	Outputs   Modality `json:"outputs,omitzero"`
	Embedding bool     `json:"embedding,omitzero"`
	Tools     Support  `json:"tools,omitzero"`
	Reasoning Support  `json:"reasoning,omitzero"`
	// StructuredOutput: answers in a JSON schema.
	StructuredOutput Support `json:"structured_output,omitzero"`

	// Prices hold from their dates on; at least one.
	Prices []Price `json:"prices"`
}

// Catalog is models and their dated prices. It starts from a snapshot that is compiled into the program and never
// touches the network by itself. Safe for concurrent use: changes are swapped in whole, and calls under way keep the
// price that they were quoted at. The zero value is an empty catalog.
type Catalog struct {
	mu    sync.Mutex // writers only
	state atomic.Pointer[catalogState]

	refreshing sync.Mutex          // one refresh at a time
	fetched    map[string]*fetched // by URL; of refreshing
}

// catalogState never changes once it is published.
type catalogState struct {
	added    map[modelKey]*catalogModel
	listed   map[modelKey]*catalogModel // of lists that were read, joined with what the snapshot has
	embedded map[modelKey]*catalogModel
	asOf     time.Time
}

type modelKey struct{ provider, name string }

// catalogModel is a Model with its prices made ready, oldest first.
type catalogModel struct {
	Model
	tables []priceTable
	rank   int // of the list that priced it; 0: the snapshot, or none
}

// NewCatalog returns a catalog of the embedded snapshot. The snapshot is decoded on first use and shared.
func NewCatalog() (*Catalog, error) {
	snapshot, err := embeddedModels()
	if err != nil {
		return nil, fmt.Errorf("farebox: embedded price snapshot: %w", err)
	}
	c := &Catalog{}
	c.state.Store(snapshot)
	return c, nil
}

// Add puts models into the catalog, over the embedded ones and over those added before. It adds all of them or, with
// an error that names the model and what is wrong, none.
func (c *Catalog) Add(models ...Model) error {
	compiled := make([]*catalogModel, len(models))
	for i, m := range models {
		var err error
		if compiled[i], err = m.compile(); err != nil {
			return fmt.Errorf("farebox: model %q: %w", m.Name, err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	next := *c.load()
	next.added = maps.Clone(next.added)
	if next.added == nil {
		next.added = make(map[modelKey]*catalogModel, len(models))
	}
	for _, m := range compiled {
		m.each(func(key modelKey) { next.added[key] = m })
		for i := range m.tables {
			if m.tables[i].asOf.After(next.asOf) {
				next.asOf = m.tables[i].asOf
			}
		}
	}
	for _, m := range compiled { // a name outranks another model's alias
		next.added[modelKey{m.Provider, m.Name}] = m
	}
	c.state.Store(&next)
	return nil
}

// Find returns the entry for a model by its exact name at a provider, an alias, a dated form of either
// ("gpt-4o-2024-08-06"), or a routing variant of OpenRouter's (":nitro"). It never guesses by prefix.
func (c *Catalog) Find(provider, name string) (Model, bool) {
	m := c.find(provider, name)
	if m == nil {
		return Model{}, false
	}
	return m.Model, true
}

// Models iterates over every entry, in no particular order.
func (c *Catalog) Models() iter.Seq[Model] {
	state := c.load()
	return func(yield func(Model) bool) {
		layers := [...]map[modelKey]*catalogModel{state.added, state.listed, state.embedded}
		for i, layer := range layers {
			for key, m := range layer {
				if key.name == m.Name && !anyHas(layers[:i], key) && !yield(m.Model) {
					return
				}
			}
		}
	}
}

func anyHas(layers []map[modelKey]*catalogModel, key modelKey) bool {
	for _, layer := range layers {
		if _, ok := layer[key]; ok {
			return true
		}
	}
	return false
}

// AsOf is the date of the newest price source in the catalog.
func (c *Catalog) AsOf() time.Time { return c.load().asOf }

func (c *Catalog) load() *catalogState {
	if state := c.state.Load(); state != nil {
		return state
	}
	return &catalogState{}
}

func (s *catalogState) exact(provider, name string) *catalogModel {
	if m := s.added[modelKey{provider, name}]; m != nil {
		return m
	}
	if m := s.added[modelKey{"", name}]; m != nil {
		return m
	}
	if m := s.listed[modelKey{provider, name}]; m != nil {
		return m
	}
	return s.embedded[modelKey{provider, name}]
}

// each calls f for every key that a model is found under.
func (m *catalogModel) each(f func(modelKey)) {
	f(modelKey{m.Provider, m.Name})
	for _, alias := range m.Aliases {
		f(modelKey{m.Provider, alias})
	}
}

// at returns the price that holds at a time, of several the newest; nil where none does.
func (m *catalogModel) at(t time.Time) *priceTable {
	seconds := t.Unix()
	for i := len(m.tables) - 1; i >= 0; i-- {
		if m.tables[i].holdsAt(seconds) {
			return &m.tables[i]
		}
	}
	return nil
}

// ref names a price of the model for a receipt.
func (m *catalogModel) ref(t *priceTable) PriceRef {
	ref := PriceRef{Provider: m.Provider, Model: m.Name, Source: t.source, AsOf: t.asOf}
	if t.from != 0 {
		ref.From = time.Unix(t.from, 0).UTC()
	}
	return ref
}

func (m Model) compile() (*catalogModel, error) {
	switch {
	case m.Name == "":
		return nil, errors.New("a model needs a name")
	case len(m.Prices) == 0:
		return nil, errors.New("a model needs at least one price; one that is free has rates of 0")
	case m.ContextTokens < 0 || m.MaxOutputTokens < 0:
		return nil, errors.New("limits are counts of tokens and cannot be negative")
	}
	compiled := &catalogModel{Model: m, tables: make([]priceTable, len(m.Prices))}
	for i, price := range m.Prices {
		table, err := price.compile()
		if err != nil {
			return nil, err
		}
		compiled.tables[i] = table
	}
	slices.SortStableFunc(compiled.tables, func(a, b priceTable) int { return int(min(max(a.from-b.from, -1), 1)) })
	return compiled, nil
}
