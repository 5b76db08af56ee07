package sdks

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/fareboxtest"
)

// The servers of others that farebox meters through: a mock of several providers, and a gateway.
const (
	aimock  = "@copilotkit/aimock@1.43.0"
	portkey = "@portkey-ai/gateway@1.15.2"
)

// nodeModules is the folder where npm has put the servers: FAREBOX_NODE_SERVERS, or a cache that is filled at the first run.
func nodeModules(t *testing.T) string {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("there is no npm to install the servers with")
	}
	folder := os.Getenv("FAREBOX_NODE_SERVERS")
	if folder == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Skipf("there is no folder for the servers: %v", err)
		}
		folder = filepath.Join(cache, "farebox-test-servers")
	}
	modules := filepath.Join(folder, "node_modules")
	if installed(modules) {
		return modules
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	install := exec.CommandContext(t.Context(), npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder, aimock, portkey)
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm install: %v\n%s", err, out)
	}
	return modules
}

func installed(modules string) bool {
	for _, name := range []string{"@copilotkit/aimock", "@portkey-ai/gateway"} {
		if _, err := os.Stat(filepath.Join(modules, name, "package.json")); err != nil {
			return false
		}
	}
	return true
}

// start runs a server of Node's on a free port until the test ends, and returns its origin.
func start(t *testing.T, arguments func(port string) []string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	_, port, _ := net.SplitHostPort(address)
	command := exec.Command("node", arguments(port)...)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close()
			return "http://" + address
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server has not begun to listen: %v", command.Args)
		}
	}
}

// sdkNamed is the SDK of that name.
func sdkNamed(t *testing.T, name string) sdk {
	t.Helper()
	for _, s := range sdks {
		if s.name == name {
			return s
		}
	}
	t.Fatalf("there is no SDK %q", name)
	return sdk{}
}

// TestMockOfSeveralProviders meters calls to aimock, which speaks the formats of OpenAI, Anthropic and Gemini in its own way.
func TestMockOfSeveralProviders(t *testing.T) {
	t.Parallel()
	modules := nodeModules(t)
	fixtures := filepath.Join(t.TempDir(), "fixtures.json")
	write(t, fixtures, `{"fixtures":[{"match":{"userMessage":"farebox"},"response":{"content":"`+answer+`",`+
		`"usage":{"prompt_tokens":11,"completion_tokens":9,"total_tokens":20}}}]}`)
	origin := start(t, func(port string) []string {
		return []string{filepath.Join(modules, ".bin", "llmock"), "-p", port, "-f", fixtures}
	})
	for name, url := range map[string]string{
		"openai-go chat": origin + "/v1", "openai-go responses": origin + "/v1", "anthropic-sdk-go": origin, "genai": origin,
		"go-openai": origin + "/v1", "langchaingo": origin + "/v1", "eino": origin + "/v1", "net/http": origin + "/v1",
	} {
		t.Run(name, func(t *testing.T) {
			meter, err := farebox.NewMeter(farebox.WithRefuseUnmetered(), farebox.WithBudget(farebox.Budget{Name: "all", Cap: farebox.Dollars(1)}),
				farebox.WithUnpricedRates(farebox.Rates{farebox.DimensionInput: farebox.MustPerMillion("1"), farebox.DimensionOutput: farebox.MustPerMillion("2")}))
			if err != nil {
				t.Fatal(err)
			}
			s := sdkNamed(t, name)
			c, err := s.open(connect(meter, s.forms[0], url, new(atomic.Int32)))
			if err != nil {
				t.Fatal(err)
			}
			if text, err := c.ask(context.Background(), prompt); err != nil || text != answer {
				t.Errorf("answer %q, %v", text, err)
			}
			if text, err := joined(context.Background(), c, prompt); err != nil || text != answer {
				t.Errorf("streamed %q, %v", text, err)
			}
			if err := meter.Close(context.Background()); err != nil {
				t.Error(err)
			}
			want := farebox.MustMoney("0.000029") // 11 tokens at $1 and 9 at $2 for a million
			count := 0
			for r := range meter.Ledger().Receipts(farebox.Filter{}) {
				count++
				if r.Cost != want || r.Source != farebox.Computed || r.Usage.InputTokens() != 11 || r.Usage.OutputTokens() != 9 {
					t.Errorf("receipt %+v", r)
				}
			}
			if spent := meter.Guard().Snapshot()[0].Spent; count != 2 || spent != want.Mul(2) {
				t.Errorf("%d receipts, %s spent", count, spent)
			}
		})
	}
}

// mutableAnswers lets the gateway add headers to a streamed answer, which Node's fetch forbids it since version 20: without
// it the gateway answers every stream with status 500.
const mutableAnswers = `const fetched = globalThis.fetch;
globalThis.fetch = async (...args) => { const answer = await fetched(...args); return new Response(answer.body, answer); };
`

// TestGatewayBeforeTheProvider meters calls that go through Portkey's gateway to the simulated provider.
func TestGatewayBeforeTheProvider(t *testing.T) {
	t.Parallel()
	modules := nodeModules(t)
	preload := filepath.Join(t.TempDir(), "preload.mjs")
	write(t, preload, mutableAnswers)
	origin := start(t, func(port string) []string {
		return []string{"--import", preload, filepath.Join(modules, "@portkey-ai", "gateway", "build", "start-server.js"), "--headless", "--port=" + port}
	})
	for name, upstream := range map[string]string{"openai-go chat": "openai", "go-openai": "openai", "eino": "openai", "anthropic-sdk-go": "anthropic"} {
		t.Run(name, func(t *testing.T) {
			s := sdkNamed(t, name)
			provider := fareboxtest.NewProvider(fareboxtest.WithStyle(s.style), fareboxtest.WithReply(reply))
			t.Cleanup(provider.Close)
			meter, err := farebox.NewMeter(farebox.WithRefuseUnmetered(), farebox.WithModels(provider.Prices()...),
				farebox.WithEndpoint(provider.Endpoint().WithBaseURL(origin+"/v1")),
				farebox.WithBudget(farebox.Budget{Name: "all", Cap: farebox.Dollars(1)}))
			if err != nil {
				t.Fatal(err)
			}
			host, url := provider.URL(), origin+"/v1"
			if upstream == "anthropic" {
				host, url = provider.URL()+"/v1", origin
			}
			way := connect(meter, byClient, url, new(atomic.Int32))
			way.client.Transport = withHeaders(way.client.Transport, map[string]string{"X-Portkey-Provider": upstream, "X-Portkey-Custom-Host": host})
			b := &bench{sdk: s, form: byClient, provider: provider, meter: meter}
			if b.conversation, err = s.open(way); err != nil {
				t.Fatal(err)
			}
			if text, err := b.ask(context.Background(), prompt); err != nil || text != answer {
				t.Errorf("answer %q, %v", text, err)
			}
			if text, err := joined(context.Background(), b, prompt); err != nil || text != answer {
				t.Errorf("streamed %q, %v", text, err)
			}
			b.close(t)
			b.exact(t, b.receipts())
		})
	}
}

// withHeaders adds headers to requests, as a service does that goes through a gateway.
func withHeaders(next http.RoundTripper, headers map[string]string) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		req = req.Clone(req.Context())
		for name, value := range headers {
			req.Header.Set(name, value)
		}
		return next.RoundTrip(req)
	})
}
