package pricelist

// providerNames maps names that the lists give to providers, where they differ from the catalog's, to the catalog's.
var providerNames = map[string]string{
	"amazon-bedrock":          "bedrock",
	"aws":                     "bedrock",
	"bedrock_converse":        "bedrock",
	"bedrock_mantle":          "bedrock",
	"azure_text":              "azure",
	"alibaba-singapore":       "alibaba",
	"dashscope":               "alibaba",
	"cloudflare-workers-ai":   "cloudflare",
	"cohere_chat":             "cohere",
	"fireworks-ai":            "fireworks",
	"fireworks_ai":            "fireworks",
	"gemini":                  "google",
	"google-vertex":           "vertex",
	"google-vertex-anthropic": "vertex",
	"vertexai":                "vertex",
	"moonshotai":              "moonshot",
	"novita-ai":               "novita",
	"text-completion-openai":  "openai",
	"togetherai":              "together",
	"together_ai":             "together",
	"vercel_ai_gateway":       "vercel",
	"voyageai":                "voyage",
	"x-ai":                    "xai",
	"z-ai":                    "zai",
}

func providerName(theirs string) string {
	if ours := providerNames[theirs]; ours != "" {
		return ours
	}
	return theirs
}

// subscriptions are sellers whose lists have zeros, or the rates of a plan, for calls that are paid by the month.
var subscriptions = map[string]bool{
	"alibaba-coding-plan": true, "alibaba-coding-plan-cn": true, "chatgpt": true, "copilot": true, "cursor": true,
	"github-copilot": true, "github_copilot": true, "kimi-for-coding": true, "minimax-coding-plan": true,
	"minimax-cn-coding-plan": true, "zai-coding-plan": true, "zhipuai-coding-plan": true, "opencode-go": true,
}
