package farebox

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestProviderOfHost(t *testing.T) {
	t.Parallel()
	tests := []struct{ host, want string }{
		{"openrouter.ai", "openrouter"},
		{"api.openai.com", "openai"},
		{"API.OpenAI.com", "openai"},
		{"eu.api.openai.com", "openai"},
		{"my-resource.openai.azure.com", "azure"},
		{"my-resource.services.ai.azure.com", "azure"},
		{"api.anthropic.com", "anthropic"},
		{"generativelanguage.googleapis.com", "google"},
		{"aiplatform.googleapis.com", "vertex"},
		{"api.together.xyz", "together"},
		{"api.x.ai", "xai"},
		{"dbc-1.cloud.databricks.com", "databricks"},
		{"bedrock-runtime.us-east-1.amazonaws.com", "bedrock"},
		{"", ""},
		{"localhost", ""},
		{"127.0.0.1", ""},
		{"openai.com", ""},
		{"evil-api.openai.com", ""}, // no subdomain: another name that ends alike
		{"evilapi.openai.com", ""},
		{"api.openai.com.evil.net", ""},
		{"notopenrouter.ai", ""},
		{"ai", ""},
	}
	for _, test := range tests {
		if got := providerOfHost(test.host).id; got != test.want {
			t.Errorf("providerOfHost(%q) is %q, want %q", test.host, got, test.want)
		}
	}
}

// TestProvidersTable checks the table as a whole: each provider is found by its id, its hosts and its base URL.
func TestProvidersTable(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, p := range providers {
		if p.id == "" || seen[p.id] {
			t.Errorf("provider %q: the id is empty or taken", p.id)
		}
		seen[p.id] = true
		if providerByID(p.id) != p {
			t.Errorf("provider %q is not found by its id", p.id)
		}
		for _, host := range p.hosts {
			if seen[host] || host != strings.ToLower(host) || providerOfHost(host) != p || providerOfHost("region."+host) != p {
				t.Errorf("provider %q: host %q is another's too, or not in lower case", p.id, host)
			}
			seen[host] = true
		}
		if p.baseURL == "" {
			continue
		}
		if u, err := url.Parse(p.baseURL); err != nil || u.Scheme != "https" || providerOfHost(u.Hostname()) != p || strings.HasSuffix(u.Path, "/") {
			t.Errorf("provider %q: base URL %q: %v", p.id, p.baseURL, err)
		}
		for _, u := range p.unbilled {
			if u.source == "" || u.asOf == "" {
				t.Errorf("provider %q: status %d is said to be free of charge without a source", p.id, u.status)
			}
		}
	}
	if providerByID("no such") != generic {
		t.Error("a provider that is not known is not the generic one")
	}
}

// TestProviderOf: a provider is known by its host, a server of one's own by its port.
func TestProviderOf(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://europe-west4-aiplatform.googleapis.com/v1": "vertex", "https://aiplatform.googleapis.com": "vertex",
		"https://evil-api.openai.com": "", "https://x-generativelanguage.googleapis.com": "",
		"http://localhost:11434/api/chat": "ollama", "http://gpu.example.com:11434": "ollama", "https://api.openai.com:11434": "openai",
		"https://ollama.com/v1": "ollama-cloud", "http://localhost:8080": "",
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := providerOf(u).id; got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
}

// TestGivesAway: only what runs on a machine of the caller's own costs nothing.
func TestGivesAway(t *testing.T) {
	t.Parallel()
	ollama := providerByID("ollama")
	for model, want := range map[string]bool{"llama3.2": true, "gpt-oss:120b-cloud": false, "deepseek-v3.1:cloud": false, "": false} {
		if got := ollama.givesAway(model); got != want {
			t.Errorf("%q: %v", model, got)
		}
	}
	for _, p := range append(providers, generic) {
		if p != ollama && p.givesAway("llama3.2") {
			t.Errorf("%s gives models away", p.id)
		}
		if u := p.unbilled; p.id == "google" && (len(u) != 1 || p.insures(u[0].status)) {
			t.Error("an answer of Gemini's that breaks off is taken for free")
		}
	}
}

func TestBills(t *testing.T) {
	t.Parallel()
	openrouter := providerByID("openrouter")
	for _, p := range append(providers, generic) {
		for _, status := range []int{400, 401, 403, 404, 413, 422, 429} {
			if billed, source := p.bills(status); billed || source == "" {
				t.Errorf("%s bills status %d (%q)", p.id, status, source)
			}
		}
		for _, status := range []int{0, 200, 201, 408, 409, 499, 504} {
			if billed, _ := p.bills(status); !billed {
				t.Errorf("%s is taken not to bill status %d", p.id, status)
			}
		}
		for _, status := range []int{http.StatusPaymentRequired, 500, 502, 503, 529} {
			free := p == openrouter || p.id == "google" && status == 500
			if billed, source := p.bills(status); billed == free || billed == (source != "") {
				t.Errorf("%s bills status %d: %t (%q)", p.id, status, billed, source)
			}
		}
	}
}
