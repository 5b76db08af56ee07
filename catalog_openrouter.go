package farebox

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// openRouterModels is where OpenRouter lists its models with their prices, of every output modality.
const openRouterModels = "https://openrouter.ai/api/v1/models?output_modalities=all"

const maxModelListBytes = 64 << 20

// LoadOpenRouter reads OpenRouter's live list of models over the catalog, and returns how many models it took. It needs
// no key. client is nil for http.DefaultClient. Nothing changes if the list cannot be read or one of its prices is not
// a price.
func (c *Catalog) LoadOpenRouter(ctx context.Context, client *http.Client) (int, error) {
	if client == nil {
		client = http.DefaultClient
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, openRouterModels, http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("farebox: OpenRouter's model list: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if !isSuccess(resp.StatusCode) {
		return 0, fmt.Errorf("farebox: OpenRouter's model list: status %s", resp.Status)
	}
	return c.ReadOpenRouter(resp.Body)
}

// ReadOpenRouter is LoadOpenRouter for a list that was fetched before, in the form of GET /api/v1/models.
func (c *Catalog) ReadOpenRouter(list io.Reader) (int, error) {
	var document struct {
		Data []openRouterModel `json:"data"`
	}
	data, err := io.ReadAll(io.LimitReader(list, maxModelListBytes))
	if err != nil {
		return 0, fmt.Errorf("farebox: OpenRouter's model list: %w", err)
	}
	if err := json.Unmarshal(data, &document); err != nil {
		return 0, fmt.Errorf("farebox: OpenRouter's model list: %w", err)
	}
	if len(document.Data) == 0 {
		return 0, fmt.Errorf("farebox: OpenRouter's model list is empty")
	}
	now := time.Now().UTC().Truncate(time.Second)
	models := make([]Model, 0, len(document.Data))
	for i := range document.Data {
		model, err := document.Data[i].model(now)
		switch {
		case errors.Is(err, errOtherUnits):
			continue
		case err != nil:
			return 0, fmt.Errorf("farebox: OpenRouter's model %q: %w", document.Data[i].ID, err)
		}
		models = append(models, model)
	}
	if err := c.Add(models...); err != nil {
		return 0, err
	}
	return len(models), nil
}

// openRouterModel is an entry of the list (OpenRouter's OpenAPI description, schema Model).
type openRouterModel struct {
	ID            string `json:"id"`
	CanonicalSlug string `json:"canonical_slug"`
	ContextLength int64  `json:"context_length"`
	Architecture  struct {
		InputModalities  []string `json:"input_modalities"`
		OutputModalities []string `json:"output_modalities"`
	} `json:"architecture"`
	Pricing     map[string]json.RawMessage `json:"pricing"`
	TopProvider struct {
		MaxCompletionTokens int64 `json:"max_completion_tokens"`
	} `json:"top_provider"`
	SupportedParameters []string `json:"supported_parameters"`
}

// openRouterOverride replaces prices where its conditions hold: an input longer than MinPromptTokens, or a time of day.
type openRouterOverride struct {
	MinPromptTokens *int64 `json:"min_prompt_tokens"`
	UTCStart        *int64 `json:"utc_start"` // HHMM as a number
	UTCEnd          *int64 `json:"utc_end"`

	UTCDays []string `json:"utc_days"`
}

// openRouterKeys are OpenRouter's names of dimensions, in dollars per unit.
var openRouterKeys = map[string]Dimension{
	"prompt": DimensionInput, "completion": DimensionOutput, "request": DimensionRequest,
	"image_token": DimensionImageInput, "image_output": DimensionImageOutput,
	"audio": DimensionAudioInput, "audio_output": DimensionAudioOutput, "input_audio_cache": DimensionAudioCacheRead,
	"input_cache_read": DimensionCacheRead, "input_cache_write": DimensionCacheWrite, "input_cache_write_1h": DimensionCacheWrite1h,
	"internal_reasoning": DimensionReasoning, "web_search": DimensionWebSearch,
}

func (m *openRouterModel) model(now time.Time) (Model, error) {
	price, err := m.price()
	price.Source, price.AsOf = "openrouter.ai/api/v1/models", now
	entry := Model{
		Provider: "openrouter", Name: m.ID,
		ContextTokens: m.ContextLength, MaxOutputTokens: m.TopProvider.MaxCompletionTokens,
		Inputs: modalities(m.Architecture.InputModalities), Outputs: modalities(m.Architecture.OutputModalities),
		Embedding:        slices.Contains(m.Architecture.OutputModalities, "embeddings"),
		Tools:            m.supports("tools"),
		Reasoning:        m.supports("reasoning"),
		StructuredOutput: m.supports("structured_outputs"),
		Prices:           []Price{price},
	}
	// A variant such as ":free" bears the slug of the model that it is a variant of, at another price.
	if m.CanonicalSlug != "" && m.CanonicalSlug != m.ID && !strings.Contains(m.ID, ":") {
		entry.Aliases = []string{m.CanonicalSlug}
	}
	return entry, err
}

func (m *openRouterModel) supports(parameter string) Support {
	if slices.Contains(m.SupportedParameters, parameter) {
		return SupportYes
	}
	return SupportNo
}

func modalities(names []string) (set Modality) {
	for _, name := range names {
		set |= map[string]Modality{
			"text": ModalityText, "image": ModalityImage, "audio": ModalityAudio, "video": ModalityVideo, "file": ModalityFile,
		}[name]
	}
	return set
}

// price reads a model's pricing. A price of -1 is that of whatever model serves.
func (m *openRouterModel) price() (Price, error) {
	if text, _ := priceText(m.Pricing["prompt"]); text == "-1" {
		return Price{Variable: true}, nil
	}
	rates, err := openRouterRates(m.Pricing)
	if err != nil {
		return Price{}, err
	}
	if m.chargesOtherwise(rates) {
		return Price{}, errOtherUnits
	}
	price := Price{Rates: rates}
	var overrides []json.RawMessage
	if raw := m.Pricing["overrides"]; raw != nil {
		if err := json.Unmarshal(raw, &overrides); err != nil {
			return price, fmt.Errorf("overrides: %w", err)
		}
	}
	for _, raw := range overrides {
		if err := price.addOverride(raw); err != nil {
			return price, fmt.Errorf("override: %w", err)
		}
	}
	return price, price.addDiscount(m.Pricing["discount"])
}

// errOtherUnits says that a model's price is in units that farebox does not count, such as images.
var errOtherUnits = errors.New("the price is in units that farebox does not count")

// chargesOtherwise says that nothing that farebox counts has a price, but something else has: such a model has no
// price here, which is not the same as being free.
func (m *openRouterModel) chargesOtherwise(rates Rates) bool {
	for _, rate := range rates {
		if !rate.IsZero() {
			return false
		}
	}
	for key, raw := range m.Pricing {
		if key == "discount" || key == "overrides" || openRouterKeys[key] != "" {
			continue
		}
		text, ok := priceText(raw)
		if rate, err := ParseRate(text); ok && (err != nil || !rate.IsZero()) {
			return true
		}
	}
	return false
}

// addOverride adds what holds under conditions: all of them must, and later overrides win (OpenRouter's API description,
// 2026-11).
func (p *Price) addOverride(raw json.RawMessage) error {
	var when openRouterOverride
	var fields map[string]json.RawMessage
	if err := cmp.Or(json.Unmarshal(raw, &when), json.Unmarshal(raw, &fields)); err != nil {
		return err
	}
	rates, err := openRouterRates(fields)
	if err != nil {
		return err
	}
	override := Override{Rates: rates}
	if when.MinPromptTokens != nil {
		override.When.InputOver = *when.MinPromptTokens // strictly more
	}
	if when.UTCStart != nil && when.UTCEnd != nil {
		override.When.Start, override.When.End = timeOfDay(*when.UTCStart), timeOfDay(*when.UTCEnd)
	}
	if override.When.Days, err = ParseDays(when.UTCDays...); err != nil {
		return err
	}
	if len(rates) > 0 && override.When != (When{}) { // without a condition that is understood it cannot be told when it holds
		p.Overrides = append(p.Overrides, override)
	}
	return nil
}

// addDiscount takes a share off all rates of tokens: 0.1 is a tenth.
func (p *Price) addDiscount(raw json.RawMessage) error {
	text, ok := priceText(raw)
	if !ok {
		return nil
	}
	off, err := ParseFactor(text)
	if err != nil || off.units() > factorOne {
		return fmt.Errorf("discount %s: want a share from 0 to 1", excerpt(text))
	}
	if off.units() > 0 {
		p.Overrides = append(p.Overrides, Override{Name: "discount", Multiplier: Factor{beyondOne: -off.units()}})
	}
	return nil
}

// timeOfDay reads HHMM written as a number: 130 is half past one.
func timeOfDay(hhmm int64) TimeOfDay {
	return TimeOfDay(time.Duration(hhmm/100)*time.Hour + time.Duration(hhmm%100)*time.Minute)
}

func openRouterRates(fields map[string]json.RawMessage) (Rates, error) {
	rates := Rates{}
	for key, dimension := range openRouterKeys {
		text, ok := priceText(fields[key])
		if !ok {
			continue
		}
		rate, err := ParseRate(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		if rate.IsZero() && dimension != DimensionInput && dimension != DimensionOutput {
			continue // OpenRouter writes 0 for what a model does not charge apart
		}
		rates[dimension] = rate
	}
	return rates, nil
}

// priceText is the decimal text of a price, which is a string, or in older lists a number.
func priceText(raw json.RawMessage) (text string, ok bool) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", false
	}
	if json.Unmarshal(raw, &text) == nil {
		return text, text != ""
	}
	return string(raw), true
}
