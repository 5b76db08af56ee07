package farebox

import (
	"net/http"
	"slices"
	"strings"
)

// provider is what farebox knows of one provider's OpenAI-compatible endpoint. Facts that decide about money name
// where they come from.
type provider struct {
	id        string   // the provider's name in the catalog and in telemetry
	baseURL   string   // empty: the user's
	hosts     []string // hosts that are this provider's, or their parent domains
	keyHeader string   // header that carries the key; empty: Authorization: Bearer
	// streamUsage says when a stream carries its usage.
	streamUsage streamUsage
	// reasoningLimit says that o-series and gpt-5 models take max_completion_tokens only.
	reasoningLimit bool
	// ownPrompt bounds the tokens of a prompt that the endpoint puts before every chat.
	ownPrompt int64
	// fewestOutputs is what a lower output limit is raised to.
	fewestOutputs int64
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
}

// unbilledEverywhere lists the statuses by which every provider refuses a request before any model has run, so
// that there is nothing to bill. Server errors are not among them: a model may have run.
var unbilledEverywhere = []int{
	http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
	http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity, http.StatusTooManyRequests,
}

const zeroCompletionInsurance = "openrouter.ai/docs/features/zero-completion-insurance: no charge where no token was completed or the finish is an error"

var openRouterUnbilled = []unbilledStatus{
	{http.StatusPaymentRequired, "openrouter.ai/docs/api-reference/errors: 402 is a lack of credits, checked before routing", "2026-11-01"},
	{http.StatusInternalServerError, zeroCompletionInsurance, "2026-11-01"},
	{http.StatusBadGateway, zeroCompletionInsurance, "2026-11-01"},
	{http.StatusServiceUnavailable, "openrouter.ai/docs/api-reference/errors: 503 is that no provider meets the routing requirements", "2026-11-01"},
	{529, zeroCompletionInsurance, "2026-11-01"},
}

// generic is a server of which nothing is known but its wire format.
var generic = &provider{id: ""}

// providers lists what is known. streamUsage is read off recorded traffic of 2026 and each provider's documentation.
var providers = []*provider{
	{id: "openrouter", baseURL: "https://openrouter.ai/api/v1", hosts: []string{"openrouter.ai"}, streamUsage: usageAlways, unbilled: openRouterUnbilled,
		fewestOutputs: 16}, // recorded traffic of 2026: max_tokens 1 came back with 16 tokens of gpt-4.1-mini
	{id: "openai", baseURL: "https://api.openai.com/v1", hosts: []string{"api.openai.com"}, reasoningLimit: true},
	{id: "azure", hosts: []string{"openai.azure.com", "services.ai.azure.com"}, keyHeader: "Api-Key", reasoningLimit: true},
	{id: "anthropic", baseURL: "https://api.anthropic.com/v1", hosts: []string{"api.anthropic.com"}},
	{id: "google", baseURL: "https://generativelanguage.googleapis.com/v1beta/openai", hosts: []string{"generativelanguage.googleapis.com"}},
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
	{id: "vertex", hosts: []string{"aiplatform.googleapis.com"}},
}

func providerByID(id string) *provider {
	i := slices.IndexFunc(providers, func(p *provider) bool { return p.id == id })
	if i < 0 {
		return generic
	}
	return providers[i]
}

// providerOfHost finds the provider that a host belongs to.
func providerOfHost(host string) *provider {
	host = strings.ToLower(host)
	for _, p := range providers {
		for _, own := range p.hosts {
			if host == own || (strings.HasSuffix(host, own) && host[len(host)-len(own)-1] == '.') {
				return p
			}
		}
	}
	return generic
}

// charges says whether a service tier costs more than the catalog's prices, which are those of the standard one.
// Anthropic's priority tier is paid for beforehand (platform.claude.com/docs/en/api/service-tiers, 2026-11).
func (p *provider) charges(tier string) bool {
	return (tier == "priority" || tier == "fast") && p.id != "anthropic"
}

// insures says whether the endpoint does not bill an answer that breaks off with this status, even after some text:
// the statuses of unbilledEverywhere prove that no model ran only where none was heard of.
func (p *provider) insures(status int) bool {
	return slices.ContainsFunc(p.unbilled, func(u unbilledStatus) bool { return u.status == status })
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
