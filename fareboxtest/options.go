package fareboxtest

import "slices"

// Style is whose ways a Provider has.
type Style int

const (
	// OpenAI answers as api.openai.com does: no costs, and usage in streams only where it is asked for.
	OpenAI Style = iota
	// OpenRouter answers as openrouter.ai does: the cost in every usage, usage in every stream, comments and white space
	// while the caller waits, and a record of each generation to look up.
	OpenRouter
	// Anthropic answers as api.anthropic.com does: POST /v1/messages.
	Anthropic
	// Gemini answers as generativelanguage.googleapis.com does: POST /v1beta/models/{model}:generateContent.
	Gemini
)

// String is the provider's name, as it stands in farebox's catalog.
func (s Style) String() string {
	switch s {
	case OpenRouter:
		return "openrouter"
	case Anthropic:
		return "anthropic"
	case Gemini:
		return "google"
	}
	return "openai"
}

// Option configures a Provider.
type Option func(*Provider)

// WithStyle chooses whose ways the provider has: its base URL, its costs and, of OpenAI's formats, its details. Every style
// serves every format. The default is OpenAI.
func WithStyle(style Style) Option {
	return func(p *Provider) { p.style = style }
}

// WithName names the provider's endpoint and the seller of its prices, so that several Providers can stand side by side
// under one Client. The default is the style's name.
func WithName(name string) Option {
	return func(p *Provider) { p.name = name }
}

// WithKey makes the provider refuse calls that do not carry this key, with status 401. Without it every key will do.
func WithKey(key string) Option {
	return func(p *Provider) { p.key = key }
}

// WithModels serves these models instead of [DefaultModels].
func WithModels(models ...Model) Option {
	return func(p *Provider) { p.models = slices.Clone(models) }
}

// WithReply makes answers with a function of your own, which is called once for each choice and may be called by several
// goroutines at once.
func WithReply(reply func(Prompt) Reply) Option {
	return func(p *Provider) { p.reply = reply }
}

// WithBYOK answers as OpenRouter does where a key of the user's own lies behind it: the gateway charges nothing, and what
// the upstream provider bills is stated beside it. The upstream's bill is what the account counts.
func WithBYOK() Option {
	return func(p *Provider) { p.byok = true }
}

// WithGenerationLag answers the first so many lookups of a generation with 404, as OpenRouter does until its record is
// ready.
func WithGenerationLag(lookups int) Option {
	return func(p *Provider) { p.lag = lookups }
}

// StopOnCancel bills a stream that its reader leaves only for what was sent by then, and a call that is left before its
// answer has begun not at all. Without it the model runs to its end and the whole answer is billed, as many providers do.
// What the account says of a call is final once its handler has seen that the caller is gone; see [Provider.Close].
func StopOnCancel() Option {
	return func(p *Provider) { p.stopOnCancel = true }
}

// InMemory opens no socket: the provider is reached through [Provider.Transport] only. Inside a bubble of testing/synctest
// this is the only way, since a goroutine that waits on a socket keeps the bubble's clock from moving.
func InMemory() Option {
	return func(p *Provider) { p.inMemory = true }
}
