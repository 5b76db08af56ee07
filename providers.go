package farebox

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// provider is what farebox knows of one provider's OpenAI-compatible endpoint. Facts that decide about money name
// where they come from.
type provider struct {
	id        string   // the provider's name in the catalog and in telemetry
	baseURL   string   // empty: the user's
	hosts     []string // hosts that are this provider's, or their parent domains
	dashed    bool     // a region and a dash may stand before the host: europe-west4-aiplatform.googleapis.com
	port      string   // hosts of the caller's own are this provider's by their port; empty: none is
	keyHeader string   // header that carries the key; empty: Authorization: Bearer
	keyQuery  string   // parameter of a request's URL that may carry the key instead
	// streamUsage says when a stream carries its usage.
	streamUsage streamUsage
	// reasoningLimit says that o-series and gpt-5 models take max_completion_tokens only.
	reasoningLimit bool
	// ownPrompt bounds the tokens of a prompt that the endpoint puts before every chat.
	ownPrompt int64
	// fewestOutputs is what a lower output limit is raised to.
	fewestOutputs int64
	// ownMachine says that models run on the caller's own machine: what has no price there costs nothing.
	ownMachine bool
	// routes says that it is a gateway with several providers for a model, among which a request may choose (OpenRouter).
	routes bool
	// unbilled adds to the statuses that no provider bills.
	unbilled []unbilledStatus
}

type streamUsage int

const (
	usageOnRequest streamUsage = iota // with stream_options.include_usage
	usageAlways                       // always
	usageNever                        // asking for it is an error
)

// unbilledStatus is a status that an endpoint does not bill, with the source of that knowledge.
type unbilledStatus struct {
	status int
	source string
	asOf   string
	whole  bool // only where the whole answer has the status: of one that breaks off with it nothing is known
}

// unbilledEverywhere lists the statuses by which every provider refuses a request before any model has run, so
// that there is nothing to bill. Server errors are not among them: a model may have run.
var unbilledEverywhere = []int{
	http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
	http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity, http.StatusTooManyRequests,
}

const zeroCompletionInsurance = "openrouter.ai/docs/features/zero-completion-insurance: no charge where no token was completed or the finish is an error"

var openRouterUnbilled = []unbilledStatus{
	{http.StatusPaymentRequired, "openrouter.ai/docs/api-reference/errors: 402 is a lack of credits, checked before routing", "2026-11-01", false},
	{http.StatusInternalServerError, zeroCompletionInsurance, "2026-11-01", false},
	{http.StatusBadGateway, zeroCompletionInsurance, "2026-11-01", false},
	{http.StatusServiceUnavailable, "openrouter.ai/docs/api-reference/errors: 503 is that no provider meets the routing requirements", "2026-11-01", false},
	{529, zeroCompletionInsurance, "2026-11-01", false},
}

var geminiUnbilled = []unbilledStatus{
	{http.StatusInternalServerError, "ai.google.dev/gemini-api/docs/billing: a request that fails with a 400 or 500 error is not charged for", "2026-11-01", true},
}

// generic is a server of which nothing is known but its wire format.
var generic = &provider{id: ""}

// providers lists what is known. streamUsage is read off recorded traffic of 2026 and each provider's documentation.
var providers = []*provider{
	{id: "openrouter", routes: true, baseURL: "https://openrouter.ai/api/v1", hosts: []string{"openrouter.ai"}, streamUsage: usageAlways, unbilled: openRouterUnbilled,
		fewestOutputs: 16}, // recorded traffic of 2026: max_tokens 1 came back with 16 tokens of gpt-4.1-mini
	{id: "openai", baseURL: "https://api.openai.com/v1", hosts: []string{"api.openai.com"}, reasoningLimit: true},
	{id: "azure", hosts: []string{"openai.azure.com", "services.ai.azure.com"}, keyHeader: "Api-Key", reasoningLimit: true},
	{id: "anthropic", baseURL: "https://api.anthropic.com/v1", hosts: []string{"api.anthropic.com"}},
	{id: "google", baseURL: "https://generativelanguage.googleapis.com/v1beta/openai", hosts: []string{"generativelanguage.googleapis.com"},
		keyQuery: "key", unbilled: geminiUnbilled},
	{id: "together", baseURL: "https://api.together.xyz/v1", hosts: []string{"api.together.xyz", "api.together.ai"}},
	{id: "litellm"},
	{id: "xai", baseURL: "https://api.x.ai/v1", hosts: []string{"api.x.ai"}},
	{id: "deepseek", baseURL: "https://api.deepseek.com", hosts: []string{"api.deepseek.com"}},
	{id: "mistral", baseURL: "https://api.mistral.ai/v1", hosts: []string{"api.mistral.ai"}, streamUsage: usageAlways},
	{id: "groq", baseURL: "https://api.groq.com/openai/v1", hosts: []string{"api.groq.com"}, streamUsage: usageAlways},
	{id: "perplexity", baseURL: "https://api.perplexity.ai", hosts: []string{"api.perplexity.ai"}, streamUsage: usageAlways},
	{id: "cohere", hosts: []string{"api.cohere.ai", "api.cohere.com"}},
	{id: "fireworks", hosts: []string{"api.fireworks.ai"}},
	{id: "cerebras", hosts: []string{"api.cerebras.ai"}},
	{id: "huggingface", hosts: []string{"router.huggingface.co"}},
	{id: "vercel", hosts: []string{"ai-gateway.vercel.sh"}, streamUsage: usageAlways},
	{id: "databricks", hosts: []string{"databricks.com", "azuredatabricks.net"}, streamUsage: usageAlways},
	{id: "bedrock", hosts: []string{"api.aws", "amazonaws.com"}},
	{id: "alibaba", hosts: []string{"dashscope.aliyuncs.com", "dashscope-intl.aliyuncs.com"}},
	{id: "avian", hosts: []string{"api.avian.io"}},
	{id: "baseten", hosts: []string{"inference.baseten.co"}},
	{id: "cloudflare", hosts: []string{"api.cloudflare.com"}},
	{id: "minimax", hosts: []string{"api.minimax.io", "api.minimaxi.com"}},
	{id: "moonshot", hosts: []string{"api.moonshot.ai", "api.moonshot.cn"}},
	{id: "nebius", hosts: []string{"api.studio.nebius.ai", "api.studio.nebius.com", "api.tokenfactory.nebius.com"}},
	{id: "novita", hosts: []string{"api.novita.ai"}},
	// Venice's system prompt, on unless venice_parameters turn it off: 1,400 tokens in recorded traffic of 2026.
	{id: "venice", hosts: []string{"api.venice.ai"}, ownPrompt: 3_000},
	{id: "zai", hosts: []string{"api.z.ai"}},
	{id: "vertex", hosts: []string{"aiplatform.googleapis.com"}, dashed: true},
	{id: "voyage", hosts: []string{"api.voyageai.com"}},
	{id: "writer", hosts: []string{"api.writer.com"}},
	{id: "jina", hosts: []string{"api.jina.ai"}},
	// Ollama's default port. Models that it runs cost nothing; those that it hands on to ollama.com are charged for by
	// subscription (ollama.com/pricing, 2026-11) and have no price.
	{id: "ollama", port: "11434", ownMachine: true},
	{id: "ollama-cloud", hosts: []string{"ollama.com"}},
}

func providerByID(id string) *provider {
	i := slices.IndexFunc(providers, func(p *provider) bool { return p.id == id })
	if i < 0 {
		return generic
	}
	return providers[i]
}

// providerOf finds the provider that a URL leads to: by its host, else by its port.
func providerOf(u *url.URL) *provider {
	found := providerOfHost(u.Hostname())
	if found == generic && u.Port() != "" {
		if i := slices.IndexFunc(providers, func(p *provider) bool { return p.port == u.Port() }); i >= 0 {
			return providers[i]
		}
	}
	return found
}

// givesAway says whether a model that has no price costs nothing. Ollama's models in the cloud have a tag that says so.
func (p *provider) givesAway(model string) bool {
	return p.ownMachine && model != "" && !strings.HasSuffix(model, "-cloud") && !strings.HasSuffix(model, ":cloud")
}

// providerOfHost finds the provider that a host belongs to.
func providerOfHost(host string) *provider {
	host = strings.ToLower(host)
	for _, p := range providers {
		for _, own := range p.hosts {
			if host == own || (strings.HasSuffix(host, own) && p.mayFollow(host[len(host)-len(own)-1])) {
				return p
			}
		}
	}
	return generic
}

// mayFollow says whether the provider's host may follow a byte.
func (p *provider) mayFollow(c byte) bool { return c == '.' || c == '-' && p.dashed }

// charges says whether a service tier costs more than the catalog's prices, which are those of the standard one.
// Anthropic's priority tier is paid for beforehand (platform.claude.com/docs/en/api/service-tiers, 2026-11).
func (p *provider) charges(tier string) bool {
	return (tier == "priority" || tier == "fast") && p.id != "anthropic"
}

// insures says whether the endpoint does not bill an answer that breaks off with this status, even after some text:
// the statuses of unbilledEverywhere prove that no model ran only where none was heard of.
func (p *provider) insures(status int) bool {
	return slices.ContainsFunc(p.unbilled, func(u unbilledStatus) bool { return u.status == status && !u.whole })
}

// bills says whether an answer with this status may have to be paid for; where it need not be, source says how
// that is known.
func (p *provider) bills(status int) (billed bool, source string) {
	switch {
	case slices.Contains(unbilledEverywhere, status):
		return false, "refused before a model ran"
	case status >= 300 && status < 400:
		return false, "a redirect names another place; no model ran at this one"
	}
	for _, u := range p.unbilled {
		if u.status == status {
			return false, u.source
		}
	}
	return true, ""
}
