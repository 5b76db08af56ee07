package farebox

// The names of spans' and metrics' attributes, and of metrics. Those of the GenAI, server and error namespaces are
// OpenTelemetry's semantic conventions v1.41; farebox.* are our own.
const (
	attrOperation        = "gen_ai.operation.name"
	attrProvider         = "gen_ai.provider.name"
	attrRequestModel     = "gen_ai.request.model"
	attrResponseModel    = "gen_ai.response.model"
	attrResponseID       = "gen_ai.response.id"
	attrFinishReasons    = "gen_ai.response.finish_reasons"
	attrInputTokens      = "gen_ai.usage.input_tokens"
	attrOutputTokens     = "gen_ai.usage.output_tokens"
	attrCacheReadTokens  = "gen_ai.usage.cache_read.input_tokens"
	attrCacheWritten     = "gen_ai.usage.cache_creation.input_tokens"
	attrReasoningTokens  = "gen_ai.usage.reasoning.output_tokens"
	attrStream           = "gen_ai.request.stream"
	attrTimeToFirstChunk = "gen_ai.response.time_to_first_chunk"
	attrTokenType        = "gen_ai.token.type"
	attrServerAddress    = "server.address"
	attrServerPort       = "server.port"
	attrErrorType        = "error.type"
	attrStatusCode       = "http.response.status_code"

	attrCost        = "gen_ai.usage.cost"    // USD
	attrAttemptCost = "farebox.attempt.cost" // USD; of one attempt, where the call's span has gen_ai.usage.cost
	attrCostSource  = "farebox.cost.source"
	attrEndpoint    = "farebox.endpoint"
	attrKeyLabel    = "farebox.key"
	attrReceipt     = "farebox.receipt.id"
	attrAttempts    = "farebox.attempts"
	attrBudget      = "farebox.budget"
	attrReason      = "farebox.refusal.reason"
	attrTagPrefix   = "farebox.tag."
	attrRefused     = "farebox.refused" // of an unmetered request: it was not sent
	attrHTTPMethod  = "http.request.method"

	metricDuration    = "gen_ai.client.operation.duration"
	metricTokens      = "gen_ai.client.token.usage"
	metricFirstChunk  = "gen_ai.client.operation.time_to_first_chunk"
	metricCost        = "farebox.cost"
	metricUnpriced    = "farebox.cost.unpriced"
	metricRefusals    = "farebox.budget.refusals"
	metricUtilization = "farebox.budget.utilization"
	metricAdjustment  = "farebox.cost.adjustment"
	metricUnmetered   = "farebox.unmetered"
	metricCatalogAge  = "farebox.catalog.age" // seconds since the newest price source

	tokenTypeInput  = "input"
	tokenTypeOutput = "output"
)

// The buckets that the conventions advise for durations, in seconds, and for tokens.
var (
	durationBuckets = []float64{0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}
	tokenBuckets    = []float64{1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}
)

// conventionalProviders are the conventions' names for providers, where they differ from the catalog's.
var conventionalProviders = map[string]string{
	"google": "gcp.gemini", "vertex": "gcp.vertex_ai", "azure": "azure.ai.openai", "bedrock": "aws.bedrock",
	"xai": "x_ai", "mistral": "mistral_ai",
}
