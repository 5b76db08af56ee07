package farebox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func readFixture(t testing.TB) (*Catalog, int) {
	t.Helper()
	file, err := os.Open("testdata/openrouter_models.json")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var c Catalog
	n, err := c.ReadOpenRouter(file)
	if err != nil {
		t.Fatal(err)
	}
	return &c, n
}

func TestReadOpenRouterPrices(t *testing.T) {
	t.Parallel()
	c, n := readFixture(t)
	if n != 10 {
		t.Errorf("%d models were taken, want 10: all but the one that is charged by the image", n)
	}
	night, day := noon.Add(-10*time.Hour), noon // 02:00 and 12:00
	tests := []struct {
		model string
		usage Usage
		when  time.Time
		want  string
	}{
		{"acme/plain-1", Usage{Input: 1e6, Output: 1e6, Requests: 1}, day, "18"},
		{"acme/plain-1-20260401", Usage{Input: 1e6}, day, "3"}, // the permaslug, which the free variant shares
		{"acme/plain-1:nitro", Usage{Input: 1e6}, day, "3"},
		{"acme/plain-1", Usage{CacheRead: 1e6, CacheWrite: 1e6}, day, "4.05"},
		{"acme/plain-1", Usage{CacheWrite1h: 1e6}, day, "3.75"},
		{"acme/plain-1", Usage{Reasoning: 1e6}, day, "15"}, // a rate of 0 beside the plain ones says: not apart
		{"acme/plain-1", Usage{WebSearches: 3}, day, "0.03"},
		{"acme/plain-1:free", Usage{Input: 1e6, Output: 1e6, CacheRead: 1e6, Requests: 1}, day, "0"},
		{"acme/fast", Usage{Input: 1e6, Output: 1e6}, day, "2.025"}, // less a tenth, and not its free variant's, which has that slug
		{"acme/fast:free", Usage{Input: 1e6, Output: 1e6}, day, "0"},
		{"acme/long", Usage{Input: 200_000, Output: 1e5}, day, "1.2"},
		{"acme/long", Usage{Input: 200_001, Output: 1e5}, day, "1.900002"},
		{"acme/long", Usage{AudioInput: 1e5, AudioOutput: 1e5}, day, "2.2"},
		{"acme/long", Usage{AudioCacheRead: 1e5, CacheRead: 1e5}, day, "0.06"},
		{"acme/long", Usage{ImageInput: 1e5, ImageOutput: 1e5, Reasoning: 1e5}, day, "4.35"},
		{"acme/long", Usage{CacheWrite1h: 1e5, VideoInput: 1e5}, day, "0.4"},
		{"acme/hours", Usage{Input: 1e6, Output: 1e6}, day, "3"},
		{"acme/hours", Usage{Input: 1e6, Output: 1e6}, night, "5"},
		{"acme/hours", Usage{Input: 1e6, Output: 1e6}, day.Add(4*time.Hour + 29*time.Minute), "3"},
		{"acme/hours", Usage{Input: 1e6, Output: 1e6}, day.Add(4*time.Hour + 30*time.Minute), "1.5"},
		{"acme/hours", Usage{Input: 1e6, Output: 1e6}, day.Add(12 * time.Hour), "1.5"},
		// All conditions of an override must hold, and of those that do the later wins.
		{"acme/weekdays", Usage{Input: 1_000, Output: 1_000}, night, "0.005"},
		{"acme/weekdays", Usage{Input: 1_000, Output: 1_000}, night.AddDate(0, 0, 1), "0.003"},
		{"acme/weekdays", Usage{Input: 1_000, Output: 1_000}, day, "0.003"},
		{"acme/weekdays", Usage{Input: 2_000, Output: 1_000}, night, "0.011"},
		{"acme/weekdays", Usage{Input: 2_000, Output: 1_000}, day, "0.0061"},
		{"acme/embedder", Usage{Input: 1e6, Requests: 1}, day, "0.02"},
		{"acme/per-call", Usage{Input: 1e6, Output: 1e6, Requests: 1}, day, "0.005"},
	}
	for _, test := range tests {
		m := c.find("openrouter", test.model)
		if m == nil {
			t.Errorf("%s is not found", test.model)
			continue
		}
		if _, got, complete := m.at(noon).cost(&test.usage, &conditions{at: test.when}); got != MustMoney(test.want) || !complete {
			t.Errorf("%s, %+v: %s (complete: %t), want $%s", test.model, test.usage, got, complete, test.want)
		}
	}
}

func TestReadOpenRouterFacts(t *testing.T) {
	t.Parallel()
	c, _ := readFixture(t)
	plain, ok := c.Find("openrouter", "acme/plain-1")
	if !ok || plain.ContextTokens != 200_000 || plain.MaxOutputTokens != 64_000 || plain.Embedding ||
		plain.Inputs != ModalityText|ModalityImage|ModalityFile || plain.Outputs != ModalityText ||
		plain.Tools != SupportYes || plain.Reasoning != SupportNo || plain.StructuredOutput != SupportYes {
		t.Errorf("acme/plain-1 is %+v", plain)
	}
	if price := plain.Prices[0]; price.Source == "" || time.Since(price.AsOf) > time.Hour || !price.AsOf.Equal(c.AsOf()) {
		t.Errorf("its price is from %q as of %s; the catalog is as of %s", price.Source, price.AsOf, c.AsOf())
	}
	if auto := c.find("openrouter", "openrouter/auto"); auto == nil || !auto.at(noon).variable {
		t.Error("openrouter/auto has a price of its own")
	}
	if m, ok := c.Find("openrouter", "acme/painter"); ok {
		t.Errorf("a model that is charged by the image is priced: %+v", m)
	}
	if m, _ := c.Find("openrouter", "acme/embedder"); !m.Embedding {
		t.Error("an embedding model is not told from others")
	}
	if m, _ := c.Find("openrouter", "acme/plain-1:free"); m.ContextTokens != 32_000 || m.MaxOutputTokens != 0 {
		t.Errorf("limits that are null are read as %d and %d", m.ContextTokens, m.MaxOutputTokens)
	}
}

// modelWith is a list of two models, the second with a pricing of the test's.
func modelWith(pricing string) string {
	return `{"data":[{"id":"ok/ok","pricing":{"prompt":"1","completion":"1"}},{"id":"the/model","pricing":` + pricing + `}]}`
}

func TestReadOpenRouterLeavesTheCatalogAlone(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, list, want string }{
		{"nothing", "", "model list"},
		{"no JSON", "<html>", "model list"},
		{"an error", `{"error":{"message":"x"}}`, "is empty"},
		{"no models", `{"data":[]}`, "is empty"},
		{"cut short", strings.TrimSuffix(modelWith(`{"prompt":"1"}`), "}"), "model list"},
		{"something behind it", modelWith(`{"prompt":"1"}`) + "{}", "model list"},
		{"a negative price", modelWith(`{"prompt":"0.1","completion":"-0.2"}`), `"the/model": completion: `},
		{"-1 for the output alone", modelWith(`{"prompt":"0.1","completion":"-1"}`), "completion"},
		{"no number", modelWith(`{"prompt":"free","completion":"0"}`), "prompt"},
		{"NaN", modelWith(`{"prompt":"NaN","completion":"0"}`), "prompt"},
		{"beyond all bounds", modelWith(`{"prompt":"1e99","completion":"0"}`), "prompt"},
		{"an object for a price", modelWith(`{"prompt":{"usd":"1"},"completion":"0"}`), "prompt"},
		{"no prices", modelWith(`{}`), `model "the/model": a price needs at least one rate`},
		{"null prices", modelWith(`null`), "at least one rate"},
		{"no name", `{"data":[{"id":"","pricing":{"prompt":"1"}}]}`, "needs a name"},
		{"overrides that are no list", modelWith(`{"prompt":"1","overrides":{}}`), "overrides"},
		{"an override with a bad price", modelWith(`{"prompt":"1","overrides":[{"min_prompt_tokens":9,"prompt":"x"}]}`), "override"},
		{"a threshold below nothing", modelWith(`{"prompt":"1","overrides":[{"min_prompt_tokens":-9,"prompt":"1"}]}`), "input over -9 tokens"},
		{"the largest threshold", modelWith(`{"prompt":"1","overrides":[{"min_prompt_tokens":9223372036854775807,"prompt":"1"}]}`), "input over 9223372036854775807 tokens"},
		{"a time after the day", modelWith(`{"prompt":"1","overrides":[{"utc_start":2500,"utc_end":100,"prompt":"1"}]}`), "times of a day"},
		{"a time before it", modelWith(`{"prompt":"1","overrides":[{"utc_start":-30,"utc_end":100,"prompt":"1"}]}`), "times of a day"},
	}
	for _, test := range tests {
		c := &Catalog{}
		if err := c.Add(flatModel("openrouter", "ok/ok", 7), flatModel("openrouter", "the/model", 8)); err != nil {
			t.Fatal(err)
		}
		n, err := c.ReadOpenRouter(strings.NewReader(test.list))
		if err == nil || n != 0 || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %d models, %v; want an error with %q", test.name, n, err, test.want)
		}
		if dollarsOf(c.find("openrouter", "ok/ok")) != 7 || dollarsOf(c.find("openrouter", "the/model")) != 8 {
			t.Errorf("%s: the catalog has changed", test.name)
		}
	}
}

func TestReadOpenRouterOddities(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pricing string
		input   int64
		want    string
	}{
		{`{"prompt":"1","completion":null}`, 1, "1"},
		{`{"prompt":"1","completion":"","unheard_of":"9"}`, 1, "1"},
		{`{"prompt":1,"completion":2}`, 1, "1"},
		{`{"prompt":"1","overrides":null}`, 1, "1"},
		{`{"prompt":"1","overrides":[]}`, 1, "1"},
		{`{"prompt":"1","overrides":[{"prompt":"5"}]}`, 1, "1"}, // no condition that is understood
		{`{"prompt":"1","overrides":[{"utc_start":100,"prompt":"5"}]}`, 1, "1"},
		{`{"prompt":"1","overrides":[{"min_prompt_tokens":3,"prompt":"5"},{"min_prompt_tokens":3,"prompt":"2"}]}`, 4, "8"},
		{`{"prompt":"1","overrides":[{"min_prompt_tokens":3,"prompt":"5"},{"min_prompt_tokens":1,"prompt":"2"}]}`, 3, "6"},
	}
	for _, test := range tests {
		var c Catalog
		if _, err := c.ReadOpenRouter(strings.NewReader(modelWith(test.pricing))); err != nil {
			t.Errorf("%s: %v", test.pricing, err)
			continue
		}
		_, got, _ := c.find("openrouter", "the/model").at(noon).cost(&Usage{Input: test.input}, &conditions{at: noon})
		if got != MustMoney(test.want) {
			t.Errorf("%s: %d tokens cost %s, want $%s", test.pricing, test.input, got, test.want)
		}
	}
}

// listServer answers from memory, with what it is given.
type listServer struct {
	status int
	body   io.Reader
	err    error
	asked  []string
}

func (s *listServer) RoundTrip(req *http.Request) (*http.Response, error) {
	s.asked = append(s.asked, req.Method+" "+req.URL.String()+" "+req.Header.Get("Authorization"))
	if s.err != nil {
		return nil, s.err
	}
	return &http.Response{
		StatusCode: s.status, Status: fmt.Sprint(s.status, " ", http.StatusText(s.status)),
		Header: http.Header{}, Body: io.NopCloser(s.body), Request: req,
	}, nil
}

func TestLoadOpenRouter(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("testdata/openrouter_models.json")
	if err != nil {
		t.Fatal(err)
	}
	cut := io.MultiReader(bytes.NewReader(list[:999]), brokenReader{})
	for _, test := range []struct {
		name   string
		server listServer
		n      int
		want   string
	}{
		{"a list", listServer{status: 200, body: bytes.NewReader(list)}, 10, ""},
		{"an error", listServer{status: 503, body: bytes.NewReader(list)}, 0, "status 503"},
		{"a redirect without a place", listServer{status: 304, body: strings.NewReader("")}, 0, "status 304"},
		{"no connection", listServer{err: errors.New("no route")}, 0, "no route"},
		{"a connection that breaks", listServer{status: 200, body: cut}, 0, "broken"},
	} {
		var c Catalog
		n, err := c.LoadOpenRouter(context.Background(), &http.Client{Transport: &test.server})
		if n != test.n || (err == nil) != (test.want == "") || (err != nil && !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %d models, %v; want %d and %q", test.name, n, err, test.n, test.want)
		}
		if want := []string{"GET https://openrouter.ai/api/v1/models?output_modalities=all "}; !slices.Equal(test.server.asked, want) {
			t.Errorf("%s: asked %q", test.name, test.server.asked)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var c Catalog
	if _, err := c.LoadOpenRouter(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("after ctx has ended: %v", err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("the connection is broken") }

// FuzzReadOpenRouter checks that no list panics, that an error changes nothing, and that what is taken has prices.
func FuzzReadOpenRouter(f *testing.F) {
	fixture, err := os.ReadFile("testdata/openrouter_models.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(fixture)
	f.Add([]byte(modelWith(`{"prompt":"-1"}`)))
	f.Add([]byte(modelWith(`{"prompt":"1e-7","completion":2e-7,"overrides":[{"min_prompt_tokens":0,"utc_days":["sunday"],"prompt":"1"}]}`)))
	f.Add([]byte(modelWith(`{"prompt":"1","overrides":[{"utc_start":2359,"utc_end":0,"completion":"3"},null]}`)))
	f.Add([]byte(`{"data":[null]}`))
	f.Fuzz(func(t *testing.T, list []byte) {
		var c Catalog
		n, err := c.ReadOpenRouter(bytes.NewReader(list))
		if err != nil && n != 0 {
			t.Errorf("%d models and an error: %v", n, err)
		}
		kept := 0
		for m := range c.Models() {
			kept++
			price := c.find("openrouter", m.Name).at(noon)
			if price.variable {
				continue
			}
			_, cost, _ := price.cost(&Usage{Input: 1e6, CacheRead: 5, Output: 1e6, Reasoning: 5, Requests: 1}, &conditions{at: noon})
			if cost.Sign() < 0 {
				t.Errorf("%s costs %s", m.Name, cost)
			}
		}
		if kept > n { // fewer where an id comes twice
			t.Errorf("%d models are kept, and %d were said to be", kept, n)
		}
	})
}
