package farebox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

const secretKey = "sk-very-secret-0123456789"

// holder is what a service may keep an Endpoint in: fmt asks no method of fields that are not exported.
type holder struct {
	Shown  Endpoint
	hidden Endpoint
	list   []Endpoint
	byName map[string]Endpoint
	any    any
}

func TestEndpointsKeepTheirKeys(t *testing.T) {
	t.Parallel()
	for _, e := range []Endpoint{
		OpenRouter(secretKey), OpenAI(secretKey), Anthropic(secretKey), Gemini(secretKey), TogetherAI(secretKey),
		Anyscale("https://a.test/v1", secretKey), LiteLLM("https://l.test", secretKey), Compatible("c", "https://c.test/v1", secretKey),
		OpenAI("other").WithHeader("X-Secret", secretKey),
		OpenAI(secretKey).WithName("n").WithKeyLabel("l").WithBaseURL("https://b.test/v1").WithHeader("A", "b"),
	} {
		resolved, err := e.resolve()
		if err != nil {
			t.Fatal(err)
		}
		held := holder{Shown: e, hidden: e, list: []Endpoint{e}, byName: map[string]Endpoint{"e": e}, any: e}
		for _, value := range []any{e, &e, []Endpoint{e}, held, &held, []any{held}, resolved, struct{ e *endpoint }{resolved}} {
			printEverywhere(t, e.name, value)
		}
	}
}

// TestEndpointsKeepSecretsInURLs checks the same for what was put where no key belongs.
func TestEndpointsKeepSecretsInURLs(t *testing.T) {
	t.Parallel()
	for _, e := range []Endpoint{
		Compatible("user info", "https://user:"+secretKey+"@c.test/v1", "k"), Compatible("query", "https://c.test/v1?key="+secretKey, "k"),
		Compatible("in the wrong place", secretKey, "https://c.test/v1"), Compatible("no URL", "://"+secretKey, "k"),
	} {
		for _, value := range []any{e, &e, []Endpoint{e}} {
			printEverywhere(t, e.name, value)
		}
		if _, err := New(e); err != nil {
			checkSecret(t, e.name+" in an error", err.Error())
		}
	}
}

func printEverywhere(t *testing.T, name string, value any) {
	t.Helper()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%t", "%08.3f", "%T", "%z"} {
		checkSecret(t, name+" "+verb, fmt.Sprintf(verb, value))
	}
	text, _ := json.Marshal(map[string]any{"value": value}) // a function in it is an error, and no text
	checkSecret(t, name+" in JSON", string(text))
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("here", "value", value, slog.Group("group", slog.Any("value", value)))
	slog.New(slog.NewJSONHandler(&log, nil)).Info("here", "value", value)
	checkSecret(t, name+" in a log", log.String())
}

// TestEndpointWithMisplacedVerb covers the one verb that fmt keeps from a Formatter.
func TestEndpointWithMisplacedVerb(t *testing.T) {
	t.Parallel()
	checkSecret(t, "%p", fmt.Sprintf("%p", OpenAI(secretKey)))
}

func checkSecret(t *testing.T, where, text string) {
	t.Helper()
	if strings.Contains(text, "very-secret") || strings.Contains(text, fmt.Sprintf("%x", "very-secret")) || strings.Contains(text, fmt.Sprintf("%X", "very-secret")) {
		t.Errorf("%s: the key is in %s", where, text)
	}
}

func TestEndpointString(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]Endpoint{
		"openai (https://api.openai.com/v1)":                               OpenAI("k"),
		"gemini (https://generativelanguage.googleapis.com/v1beta/openai)": Gemini("k"),
		"house (http://10.0.0.1:8000/v1)":                                  Compatible("house", "http://10.0.0.1:8000/v1", ""),
		"azure (https://r.openai.azure.com/openai)":                        Compatible("azure", "https://u:p@r.openai.azure.com/openai?api-version=1", "k"),
		"nowhere": Compatible("nowhere", "not a URL", "k"),
		"":        {},
	} {
		for _, got := range []string{e.String(), fmt.Sprint(e), fmt.Sprintf("%#v", e), fmt.Sprintf("%d", e), e.LogValue().String()} {
			if got != want {
				t.Errorf("the endpoint prints as %q, want %q", got, want)
			}
		}
	}
}

func TestBadEndpoints(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		endpoint Endpoint
		want     string
	}{
		{"the zero value", Endpoint{}, "the zero Endpoint is not usable"},
		{"no name", Compatible("", "https://c.test/v1", "k"), "needs a name"},
		{"no base URL", Anyscale("", "k"), "no http or https scheme"},
		{"another scheme", Compatible("c", "ftp://c.test/v1", "k"), "no http or https scheme"},
		{"no scheme", Compatible("c", "c.test/v1", "k"), "no http or https scheme"},
		{"no host", LiteLLM("https:///v1", "k"), "no host"},
		{"no URL", Compatible("c", "https://c.test:port/v1", "k"), "endpoint c: base URL: "},
		{"a control character", OpenAI("k").WithBaseURL("https://c.test/\x7f"), "endpoint openai: base URL: "},
		{"a user", Compatible("c", "https://key@c.test/v1", ""), "pass the key as the key"},
		{"a user and password", Compatible("c", "https://u:p@c.test/v1", ""), "pass the key as the key"},
	}
	for _, test := range tests {
		_, newErr := New(test.endpoint)
		_, meterErr := NewMeter(WithEndpoint(test.endpoint))
		for _, err := range []error{newErr, meterErr} {
			if err == nil || !strings.HasPrefix(err.Error(), "farebox: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v, want an error with %q", test.name, err, test.want)
			}
		}
	}
}

func TestEndpointResolves(t *testing.T) {
	t.Parallel()
	tests := []struct {
		endpoint                   Endpoint
		name, provider, url, label string
	}{
		{OpenRouter("k"), "openrouter", "openrouter", "https://openrouter.ai/api/v1/chat", "key-8254c329"},
		{OpenAI("k").WithName("second").WithKeyLabel("batch"), "second", "openai", "https://api.openai.com/v1/chat", "batch"},
		{Anthropic("k"), "anthropic", "anthropic", "https://api.anthropic.com/v1/chat", "key-8254c329"},
		{Gemini("k"), "gemini", "google", "https://generativelanguage.googleapis.com/v1beta/openai/chat", "key-8254c329"},
		{TogetherAI("k"), "together", "together", "https://api.together.xyz/v1/chat", "key-8254c329"},
		{Anyscale("https://s.anyscaleuserdata.com/v1/", "k"), "anyscale", "", "https://s.anyscaleuserdata.com/v1/chat", "key-8254c329"},
		{LiteLLM("http://localhost:4000", "k"), "litellm", "litellm", "http://localhost:4000/chat", "key-8254c329"},
		{Compatible("mine", "https://api.openai.com/v1", ""), "mine", "openai", "https://api.openai.com/v1/chat", ""},
		{Compatible("mine", "https://llm.house.test", ""), "mine", "", "https://llm.house.test/chat", ""},
		{OpenAI("k").WithBaseURL("https://proxy.house.test/openai/"), "openai", "openai", "https://proxy.house.test/openai/chat", "key-8254c329"},
		{Compatible("az", "https://r.openai.azure.com/openai/v1?api-version=2", ""), "az", "azure", "https://r.openai.azure.com/openai/v1/chat?api-version=2", ""},
	}
	for _, test := range tests {
		e, err := test.endpoint.resolve()
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if e.name != test.name || test.endpoint.Name() != test.name || e.provider.id != test.provider || e.at("chat") != test.url || e.keyLabel != test.label {
			t.Errorf("%s: provider %q at %s with key %q; want %+v", e.name, e.provider.id, e.at("chat"), e.keyLabel, test)
		}
	}
}

func TestEndpointAuthorizes(t *testing.T) {
	t.Parallel()
	base := OpenAI("k").WithHeader("OpenAI-Organization", "org-1")
	changed := base.WithHeader("OpenAI-Organization", "org-2").WithHeader("X-More", "yes")
	for _, test := range []struct {
		name     string
		endpoint Endpoint
		want     http.Header
	}{
		{"a bearer", base, http.Header{"Authorization": {"Bearer k"}, "Openai-Organization": {"org-1"}}},
		{"changed copies", changed, http.Header{"Authorization": {"Bearer k"}, "Openai-Organization": {"org-2"}, "X-More": {"yes"}}},
		{"no key", Compatible("c", "https://c.test", ""), http.Header{}},
		{"a header of the provider's", Compatible("az", "https://r.openai.azure.com/openai/v1", "k"), http.Header{"Api-Key": {"k"}}},
		{"a header of the caller's over it", OpenAI("k").WithHeader("authorization", "Basic x"), http.Header{"Authorization": {"Basic x"}}},
	} {
		e, err := test.endpoint.resolve()
		if err != nil {
			t.Fatal(err)
		}
		got := http.Header{}
		e.authorize(got)
		if fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
		if key := keyOf(got); key != "" && key != "k" {
			t.Errorf("%s: the key is read back as %q", test.name, key)
		}
	}
	(&endpoint{}).authorize(http.Header{}) // an endpoint that is not registered has none
}
