package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// genaiProviders maps the providers of genai-prices to those of the snapshot. Left out: resellers whose rates are a
// subscription's (Cursor, GitHub Copilot), rates converted from another currency (Zhipu), the per-backend lists of
// Hugging Face, whose names are matched by pattern only, and a few small hosts.
var genaiProviders = map[string]string{
	"anthropic":  "anthropic",
	"arcee":      "arcee",
	"avian":      "avian",
	"aws":        "bedrock",
	"azure":      "azure",
	"baseten":    "baseten",
	"cerebras":   "cerebras",
	"cloudflare": "cloudflare",
	"cohere":     "cohere",
	"deepseek":   "deepseek",
	"fireworks":  "fireworks",
	"google":     "google", // and "vertex": see genaiProvider
	"groq":       "groq",
	"minimax":    "minimax",
	"mistral":    "mistral",
	"moonshotai": "moonshot",
	"novita":     "novita",
	"openai":     "openai",
	"openrouter": "openrouter",
	"ovhcloud":   "ovhcloud",
	"perplexity": "perplexity",
	"together":   "together",
	"voyageai":   "voyage",
	"x-ai":       "xai",
	"zai":        "zai",
}

// genaiKeys maps the prices of genai-prices to dimensions. shift divides by a power of ten: fees are listed per
// thousand there and per unit here.
var genaiKeys = map[string]struct {
	dimension string
	shift     int
}{
	"input_mtok":            {"input", 0},
	"cache_read_mtok":       {"cache_read", 0},
	"cache_write_mtok":      {"cache_write", 0},
	"cache_write_1h_mtok":   {"cache_write_1h", 0},
	"output_mtok":           {"output", 0},
	"output_reasoning_mtok": {"reasoning", 0},
	"input_audio_mtok":      {"audio_input", 0},
	"cache_audio_read_mtok": {"audio_cache_read", 0},
	"output_audio_mtok":     {"audio_output", 0},
	"input_image_mtok":      {"image_input", 0},
	"output_image_mtok":     {"image_output", 0},
	"input_video_mtok":      {"video_input", 0},
	"output_citation_mtok":  {"citation", 0},
	"web_searches_kcount":   {"web_search", 3},
	"requests_kcount":       {"request", 3},
	"cache_image_read_mtok": {"image_cache_read", 0},
	"output_video_mtok":     {"video_output", 0},

	"input_document_kpages":           {"page", 3},
	"input_annotated_document_kpages": {"page/annotated", 3},
	"storage_searches_kcount":         {"tool_call/file_search", 3},
	"code_executions_kcount":          {"tool_call/code_execution", 3},
	"social_searches_kcount":          {"tool_call/x_search", 3},
}

// genaiModel is a model of genai-prices with the pattern that names it there.
type genaiModel struct {
	model
	match matcher
	// skipped says why the model has no place in the snapshot; empty: it has.
	skipped string
}

// readGenai finds the providers in the source of the npm package's module and turns their models into ours.
func readGenai(module string) ([]genaiModel, error) {
	start := strings.Index(module, "= [")
	if start < 0 {
		return nil, errors.New("genai-prices: no array of providers in the module")
	}
	literal, err := parseLiteral(module[start+len("= "):])
	if err != nil {
		return nil, fmt.Errorf("genai-prices: %w", err)
	}
	var models []genaiModel
	for _, p := range asArray(literal) {
		provider := asObject(p)
		id, _ := provider["id"].(string)
		if id == "" || provider["models"] == nil {
			return nil, errors.New("genai-prices: the array does not hold providers; the package has changed its form")
		}
		if genaiProviders[id] == "" {
			continue
		}
		for _, m := range asArray(provider["models"]) {
			converted, err := convertGenai(id, asObject(m))
			if err != nil {
				return nil, fmt.Errorf("genai-prices: %s: %w", id, err)
			}
			models = append(models, converted)
		}
	}
	return models, nil
}

func asArray(v any) []any {
	array, _ := v.([]any)
	return array
}

func asObject(v any) map[string]any {
	object, _ := v.(map[string]any)
	return object
}

// genaiProvider tells the Gemini API's models from the others that genai-prices lists under Google: those are sold
// on Vertex AI only.
func genaiProvider(id, name string) string {
	if id == "google" && !strings.HasPrefix(name, "gemini") && !strings.HasPrefix(name, "gemma") {
		return "vertex"
	}
	return genaiProviders[id]
}

func convertGenai(id string, source map[string]any) (genaiModel, error) {
	name, _ := source["id"].(string)
	if name == "" {
		return genaiModel{}, errors.New("a model has no id")
	}
	m := genaiModel{model: model{provider: genaiProvider(id, name), source: genaiLetter}}
	var err error
	if m.match, err = newMatcher(source["match"]); err != nil {
		return genaiModel{}, fmt.Errorf("%s: %w", name, err)
	}
	m.nameExactly(name)
	m.contextTokens = wholeNumber(source["context_window"])

	m.prices, m.skipped, err = genaiPrices(source["prices"])
	if err != nil {
		return genaiModel{}, fmt.Errorf("%s: %w", name, err)
	}
	if m.skipped == "" {
		m.classify(name)
	}
	return m, nil
}

// nameExactly sets the name and the aliases: the id where the model's own pattern accepts it (the ids of patterns
// such as "any fine-tune of" are no names), and whatever the pattern lists word for word. A prefix, a substring or an
// expression never makes an alias.
func (m *genaiModel) nameExactly(id string) {
	names := m.match.exactNames()
	if realName := !strings.HasPrefix(id, "regional.") && !strings.HasSuffix(id, "-"); realName && m.match.accepts(id) != no {
		names = slices.Insert(names, 0, id)
	}
	var kept []string
	for _, name := range names {
		if !slices.Contains(kept, name) && !strings.ContainsAny(name, " \t\n") && isRoutable(m.provider, name) {
			kept = append(kept, name)
		}
	}
	if len(kept) > 0 {
		m.name, m.aliases = kept[0], kept[1:]
	}
}

// isRoutable reports whether a name can be asked for. OpenRouter's names are author/model; genai-prices also has some
// without the author.
func isRoutable(provider, name string) bool {
	return provider != "openrouter" || strings.Contains(name, "/")
}

func wholeNumber(v any) int64 {
	text, _ := v.(number)
	plain, err := plainDecimal(string(text), 0)
	if err != nil {
		return 0
	}
	var n int64
	if _, err := fmt.Sscan(plain, &n); err != nil {
		return 0
	}
	return n
}

// classify tells embedding models from those that generate, and notes what the prices say about content.
func (m *genaiModel) classify(id string) {
	switch {
	case floats(m.provider, id):
		m.variable = true
		m.prices = []price{{}}
		return
	case len(m.prices[0].rates) == 0:
		m.classifyUnpriced()
		return
	case m.prices[0].rates["output"] == "" && (m.prices[0].rates["page"] != "" || m.prices[0].rates["audio_ms"] != ""):
		m.other = true
	case isEmbedding(id):
		m.embedding = true
		for _, p := range m.prices {
			delete(p.rates, "output") // listed beside the input price by some; there is none to bill
		}
	}
	for _, p := range m.prices {
		if m.other {
			break
		}
		if m.skipped = unpricedPart(id, m.embedding, p.rates); m.skipped != "" {
			return
		}
	}
	m.inputs, m.outputs = pricedContent(m.prices[0].rates)
}

// pricedContent tells from the prices what a model takes and gives.
func pricedContent(r rates) (in, out modalities) {
	for dimension, letter := range map[string]modalities{"audio_input": "a", "image_input": "i", "video_input": "v"} {
		if r[dimension] != "" {
			in = in.with(letter + "t")
		}
	}
	for dimension, letter := range map[string]modalities{"audio_output": "a", "image_output": "i"} {
		if r[dimension] != "" {
			out = out.with(letter + "t")
		}
	}
	return in, out
}

// unpricedPart says which part of a model's work has no price, so that the model would be priced too low; empty:
// none. Audio and images cost several times as much as text from the same model; the lists lack their prices for a
// few models that are named for them.
func unpricedPart(name string, embedding bool, r rates) string {
	switch {
	case r["input"] == "", !embedding && r["output"] == "":
		return "no price for input and output tokens"
	case strings.Contains(name, "-image") && r["image_output"] == "":
		return "makes images, and they have no price"
	case strings.Contains(name, "audio") && r["audio_input"] == "":
		return "hears audio, and it has no price"
	}
	return ""
}

// floats recognises OpenRouter's names such as ~openai/gpt-latest, which stand for whichever model is newest. What is
// charged is that model's price, whatever the list says of the name.
func floats(provider, name string) bool {
	return provider == "openrouter" && strings.HasPrefix(name, "~")
}

// classifyUnpriced decides about a model without prices: genai-prices writes {} for free and for unknown alike. On
// OpenRouter the name tells.
func (m *genaiModel) classifyUnpriced() {
	if isFreeOnOpenRouter(m.provider, m.name) {
		m.free = true
		return
	}
	m.skipped = "no prices: free or unknown, nobody can tell"
}

func isFreeOnOpenRouter(provider, name string) bool {
	return provider == "openrouter" && strings.HasSuffix(name, ":free")
}

// isEmbedding recognises an embedding model by its name; the lists have no field for it.
func isEmbedding(name string) bool {
	lower := strings.ToLower(name)
	if strings.Contains(lower, "rerank") {
		return false
	}
	for _, mark := range []string{"embed", "voyage-", "bge-", "gte-", "e5-", "m2-bert", "uae-large"} {
		if strings.Contains(lower, mark) {
			return true
		}
	}
	return false
}
