package farebox

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
)

// An Endpoint is a place to send calls to: a base URL, a key, a wire format and a price source. Build one with
// [OpenRouter], [OpenAI], [Anthropic], [Gemini], [TogetherAI], [Anyscale], [LiteLLM] or [Compatible]; the zero
// value is not usable. An Endpoint is immutable: the With methods return changed copies. It never prints its key.
type Endpoint struct {
	name     string
	provider *provider
	baseURL  string
	keyLabel string
	billing  *billing       // nil: as the provider's price list says
	secrets  func() secrets // nil: none

	cancellable bool // see WithCancellableStreams
}

// secrets stand behind a function because fmt asks no method of a field that is not exported, and follows a pointer
// where a verb does not fit (%s): a struct of the user's that holds an Endpoint prints an address in their place.
type secrets struct {
	key    string
	bearer string // the key as Authorization has it, put together once for all calls
	header http.Header
}

func (s secrets) sealed() func() secrets {
	s.bearer = "Bearer " + s.key
	return func() secrets { return s }
}

// OpenRouter is https://openrouter.ai with an API key. It reports what each call cost.
func OpenRouter(key string) Endpoint { return known("openrouter", key) }

// OpenAI is https://api.openai.com with an API key.
func OpenAI(key string) Endpoint { return known("openai", key) }

// Anthropic is the OpenAI-compatible endpoint of https://api.anthropic.com with an API key. That endpoint does not
// report cached tokens, so costs computed from it are those of uncached input.
func Anthropic(key string) Endpoint { return known("anthropic", key) }

// Gemini is the OpenAI-compatible endpoint of https://generativelanguage.googleapis.com with an API key.
func Gemini(key string) Endpoint { return known("google", key).WithName("gemini") }

// TogetherAI is https://api.together.xyz with an API key.
func TogetherAI(key string) Endpoint { return known("together", key) }

// Anyscale is a deployment of Anyscale's at baseURL ("https://my-service.anyscaleuserdata.com/v1"), with its key.
// The public endpoints have closed; prices are yours to set with [WithPrice].
func Anyscale(baseURL, key string) Endpoint { return Compatible("anyscale", baseURL, key) }

// LiteLLM is a LiteLLM proxy at baseURL ("http://localhost:4000"), with a key of the proxy's. It reports costs in a
// header of answers that are not streamed.
func LiteLLM(baseURL, key string) Endpoint {
	e := known("litellm", key)
	e.baseURL = baseURL
	return e
}

// Compatible is any other server that speaks OpenAI's wire format, at a base URL to which "/chat/completions" is
// added. name appears in receipts and is matched by [Scope]; key may be empty. A base URL on the host of a provider that
// farebox knows takes that provider's prices and reporting rules; elsewhere set prices with [WithPrice].
func Compatible(name, baseURL, key string) Endpoint {
	facts := generic
	if u, err := url.Parse(baseURL); err == nil {
		facts = providerOf(u)
	}
	return Endpoint{name: name, provider: facts, baseURL: baseURL, secrets: secrets{key: key}.sealed()}
}

func known(id, key string) Endpoint {
	p := providerByID(id)
	return Endpoint{name: id, provider: p, baseURL: p.baseURL, secrets: secrets{key: key}.sealed()}
}

// WithName returns the endpoint under another name: two keys of one provider need two names.
func (e Endpoint) WithName(name string) Endpoint {
	e.name = name
	return e
}

// WithBaseURL returns the endpoint at another base URL, with the same provider's rules and prices: a regional host,
// a proxy, a test server.
func (e Endpoint) WithBaseURL(baseURL string) Endpoint {
	e.baseURL = baseURL
	return e
}

// WithCancellableStreams says that a stream of the endpoint which is cancelled is billed no further, so that [Progressive]
// budgets may cut it. farebox knows it of OpenAI, Azure, Anthropic, Together AI, DeepSeek and a few others; say it of a
// server of your own.
func (e Endpoint) WithCancellableStreams() Endpoint {
	e.cancellable = true
	return e
}

// WithKeyLabel returns the endpoint with a label that stands for its key in receipts, scopes and errors. Without
// one the label is made from a hash of the key.
func (e Endpoint) WithKeyLabel(label string) Endpoint {
	e.keyLabel = label
	return e
}

// WithHeader returns the endpoint with a header that is sent with every request of a [Client].
func (e Endpoint) WithHeader(name, value string) Endpoint {
	changed := secrets{header: http.Header{}}
	if e.secrets != nil {
		known := e.secrets()
		changed.key = known.key
		maps.Copy(changed.header, known.header)
	}
	changed.header.Set(name, value)
	e.secrets = changed.sealed()
	return e
}

// billing is what an endpoint's calls are billed by beside the provider's price list. It never changes once it is made.
type billing struct {
	terms       Terms
	region      string
	deployments map[string]string
}

func (e Endpoint) withBilling(change func(*billing)) Endpoint {
	changed := billing{}
	if e.billing != nil {
		changed = *e.billing
	}
	change(&changed)
	e.billing = &changed
	return e
}

// WithTerms returns the endpoint with what it takes off and puts on the cost of a call. They are in quotes and in computed
// costs; of a cost that the provider reports, which has its own discount and margin in it, only [Terms.CreditFee] is
// taken on top. A term that makes calls cheaper than they are makes caps leak.
func (e Endpoint) WithTerms(t Terms) Endpoint {
	return e.withBilling(func(b *billing) { b.terms = t })
}

// WithRegion returns the endpoint with the region that it serves in, where prices depend on that and neither request nor
// answer says so: Vertex's and OpenAI's regional hosts. See [When].
func (e Endpoint) WithRegion(region string) Endpoint {
	return e.withBilling(func(b *billing) { b.region = region })
}

// WithDeployments returns the endpoint with the models behind names of your own, such as Azure's deployments: what is asked
// for as a key of the map is priced as its value. An answer that names a model that has a price is priced by that.
func (e Endpoint) WithDeployments(models map[string]string) Endpoint {
	return e.withBilling(func(b *billing) { b.deployments = maps.Clone(models) })
}

// modelNamed is the model behind a name.
func (e *Endpoint) modelNamed(name string) string {
	if e.billing != nil {
		if model, ok := e.billing.deployments[name]; ok {
			return model
		}
	}
	return name
}

// terms are those of the endpoint; nil: none.
func (e *Endpoint) terms() *Terms {
	if e.billing == nil || e.billing.terms == (Terms{}) {
		return nil
	}
	return &e.billing.terms
}

// region is where the endpoint serves; empty: nothing is said of it.
func (e *Endpoint) region() string {
	if e.billing == nil {
		return ""
	}
	return e.billing.region
}

// Name is the endpoint's name in receipts and scopes.
func (e Endpoint) Name() string { return e.name }

// String names the endpoint and where it is, without its key, and of its base URL only what cannot hold one.
func (e Endpoint) String() string {
	u, err := url.Parse(e.baseURL)
	if err != nil || u.Host == "" {
		return e.name
	}
	return fmt.Sprintf("%s (%s://%s%s)", e.name, u.Scheme, u.Host, u.Path)
}

// GoString is String: %#v must not print the key either.
func (e Endpoint) GoString() string { return e.String() }

// Format prints String for every verb: no verb may reach the key.
func (e Endpoint) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, e.String()) }

// LogValue keeps the key out of logs.
func (e Endpoint) LogValue() slog.Value { return slog.StringValue(e.String()) }

// endpoint is an Endpoint that has been checked and taken apart.
type endpoint struct {
	Endpoint
	url     *url.URL
	keyHash string // sha256 of the key, first 8 hex digits; empty without a key
	host    string
}

func (e Endpoint) resolve() (*endpoint, error) {
	if e.provider == nil {
		return nil, errors.New("the zero Endpoint is not usable: build one with OpenRouter, OpenAI, Compatible, …")
	}
	if e.name == "" {
		return nil, errors.New("an endpoint needs a name: it stands in receipts and is matched by scopes")
	}
	u, err := url.Parse(e.baseURL)
	if err != nil {
		return nil, fmt.Errorf("endpoint %s: base URL: %w", e.name, stripURL(err))
	}
	if (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return nil, fmt.Errorf("endpoint %s: the base URL has no http or https scheme, or no host: want something like https://host/v1", e.name)
	}
	if u.User != nil {
		return nil, fmt.Errorf("endpoint %s: the base URL holds a user name or password: pass the key as the key", e.name)
	}
	if terms := e.terms(); terms != nil && (terms.Fee.Sign() < 0 || terms.Margin.Cmp(Factor{}) < 0 || terms.CreditFee.Cmp(Factor{}) < 0) {
		return nil, fmt.Errorf("endpoint %s: terms: a fee cannot be negative, and a margin or a credit fee is 1 or more, such as 1.055: a discount is Terms.Discount", e.name)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = ""
	resolved := &endpoint{Endpoint: e, url: u, host: hostOf(u)}
	if e.secrets != nil {
		resolved.keyHash = hashKey(e.secrets().key)
	}
	if resolved.keyLabel == "" {
		resolved.keyLabel = labelOf(resolved.keyHash)
	}
	return resolved, nil
}

// hostOf is the host of a URL and its port, the same however it is written: "API.openai.com:443" is api.openai.com.
func hostOf(u *url.URL) string {
	host, port := strings.ToLower(u.Host), u.Port()
	if port == "443" && u.Scheme == "https" || port == "80" && u.Scheme == "http" {
		return strings.TrimSuffix(host, ":"+port)
	}
	return host
}

// stripURL drops the URL from a parse error: it may hold a key that was pasted in the wrong place.
func stripURL(err error) error {
	var parse *url.Error
	if errors.As(err, &parse) {
		return parse.Err
	}
	return err
}

// at is the URL of an operation: "chat/completions", "models".
func (e *endpoint) at(path string) string {
	u := *e.url
	u.Path += "/" + path
	return u.String()
}

// authorize puts the key and the endpoint's own headers into a request's header.
func (e *endpoint) authorize(h http.Header) {
	if e.secrets == nil {
		return
	}
	known := e.secrets()
	if key := known.key; key != "" {
		if e.provider.keyHeader == "" {
			h.Set("Authorization", known.bearer)
		} else {
			h.Set(e.provider.keyHeader, key)
		}
	}
	maps.Copy(h, known.header)
}

// awsSignature begins the Authorization of a request that is signed AWS's way (version 4), its body included.
const awsSignature = "AWS4-HMAC-SHA256"

func isSigned(h http.Header) bool { return strings.HasPrefix(h.Get("Authorization"), awsSignature) }

// keyOf finds the key that a request carries, whatever client made it.
func keyOf(h http.Header) string {
	authorization := h.Get("Authorization")
	if bearer, ok := strings.CutPrefix(authorization, "Bearer "); ok {
		return bearer
	}
	if signed, ok := strings.CutPrefix(authorization, awsSignature+" Credential="); ok {
		id, _, _ := strings.Cut(signed, "/") // the access key's id: a signature is another one each time
		return id
	}
	for _, name := range [...]string{"Api-Key", "X-Api-Key", "X-Goog-Api-Key"} {
		if key := h.Get(name); key != "" {
			return key
		}
	}
	return ""
}

func hashKey(key string) string {
	if key == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:4])
}

func labelOf(keyHash string) string {
	if keyHash == "" {
		return ""
	}
	return "key-" + keyHash
}
