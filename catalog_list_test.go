package farebox

import (
	"os"
	"strings"
	"testing"
	"time"
)

var listDay = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)

func listFile(t testing.TB, format PriceFormat, name string) *PriceList {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return listOf(t, format, listDay, string(data))
}

func listOf(t testing.TB, format PriceFormat, asOf time.Time, text string) *PriceList {
	t.Helper()
	list, err := ReadPriceList(format, string(format)+" of the test", asOf, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// costOf prices a usage under conditions.
func costOf(t testing.TB, c *Catalog, provider, model string, usage Usage, when conditions) Money {
	t.Helper()
	m := c.find(provider, model)
	if m == nil {
		t.Fatalf("%s/%s is not found", provider, model)
	}
	if when.at.IsZero() {
		when.at = noon
	}
	_, total, complete := m.at(when.at).cost(&usage, &when)
	if !complete {
		t.Errorf("%s/%s has no rate for a part of %+v", provider, model, usage)
	}
	return total
}

func TestListsPriceCalls(t *testing.T) {
	t.Parallel()
	const fixtures = "internal/pricelist/testdata/"
	tests := []struct {
		format          PriceFormat
		file            string
		provider, model string
		usage           Usage
		when            conditions
		want            string
	}{
		{FormatLiteLLM, "litellm.json", "openai", "gpt-6-astra", Usage{Input: 1000, Output: 1000}, conditions{}, "0.024"},
		{FormatLiteLLM, "litellm.json", "openai", "gpt-6-astra", Usage{Input: 272_000}, conditions{}, "1.088"},
		{FormatLiteLLM, "litellm.json", "openai", "gpt-6-astra", Usage{Input: 272_001}, conditions{}, "2.176008"},
		{FormatLiteLLM, "litellm.json", "openai", "gpt-6-astra", Usage{Input: 1000, Output: 1000}, conditions{tier: "flex"}, "0.012"},
		{FormatLiteLLM, "litellm.json", "openai", "gpt-6-astra", Usage{Input: 272_001}, conditions{tier: "priority"}, "4.352016"},
		{FormatLiteLLM, "litellm.json", "anthropic", "claude-omega-4", Usage{Output: 1000}, conditions{speed: "fast", region: "us"}, "0.165"},
		{FormatLiteLLM, "litellm.json", "xai", "grok-9", Usage{Input: 200_000}, conditions{}, "0.8"},
		{FormatLiteLLM, "litellm.json", "deepseek", "deepseek-night", Usage{Input: 1e6}, conditions{at: noon.Add(5 * time.Hour)}, "0.135"},
		{FormatLiteLLM, "litellm.json", "openai", "whisper-9", Usage{Units: map[Dimension]int64{DimensionAudioMS: 60_000}}, conditions{}, "0.006"},
		{FormatLiteLLM, "litellm.json", "openai", "dall-e-9", Usage{Units: map[Dimension]int64{"image/512x512/hd": 2}}, conditions{}, "0.08"},
		{FormatLiteLLM, "litellm.json", "cohere", "rerank-v9", Usage{Units: map[Dimension]int64{DimensionSearchUnit: 3}}, conditions{}, "0.006"},
		{FormatLiteLLM, "litellm.json", "mistral", "ocr-9", Usage{Units: map[Dimension]int64{DimensionPage: 7, "page/annotated": 1}}, conditions{}, "0.01"},
		{FormatModelsDev, "modelsdev.json", "openai", "gpt-6-astra", Usage{Input: 272_001, Output: 1}, conditions{}, "2.176038"},
		{FormatModelsDev, "modelsdev.json", "openai", "gpt-6-astra", Usage{Input: 1000}, conditions{tier: "priority"}, "0.008"},
		{FormatGenAIPrices, "genai.json", "openai", "gpt-6-astra", Usage{Input: 1000}, conditions{at: noon.AddDate(0, 0, -20)}, "0.005"},
		{FormatGenAIPrices, "genai.json", "openai", "gpt-6-astra-2026-11-01", Usage{Input: 1000}, conditions{}, "0.004"},
		{FormatGenAIPrices, "genai.json", "deepseek", "deepseek-night", Usage{Input: 1e6}, conditions{at: noon}, "0.27"},
		{FormatGenAIPrices, "genai.json", "deepseek", "deepseek-night", Usage{Input: 1e6}, conditions{at: noon.Add(8 * time.Hour)}, "0.135"},
		{FormatCatwalk, "catwalk.json", "openai", "gpt-6-astra", Usage{CacheWrite: 1000, CacheRead: 1000}, conditions{}, "0.0054"},
		{FormatFarebox, "own.json", "openai", "astra", Usage{Input: 1000}, conditions{tier: "flex"}, "0.002"},
		{FormatFarebox, "own.json", "openai", "astra", Usage{Input: 1000}, conditions{at: noon.AddDate(0, 0, -20)}, "0.005"},
		{FormatFarebox, "own.json", "anywhere", "local-llama", Usage{Input: 1000}, conditions{}, "0"},
	}
	for _, test := range tests {
		var c Catalog
		if err := c.Use(listFile(t, test.format, fixtures+test.file)); err != nil {
			t.Fatal(err)
		}
		if got := costOf(t, &c, test.provider, test.model, test.usage, test.when); got != MustMoney(test.want) {
			t.Errorf("%s: %s/%s, %+v, %+v costs %s, want $%s", test.file, test.provider, test.model, test.usage, test.when, got, test.want)
		}
	}
}

func TestEndpointsPriceWhatServed(t *testing.T) {
	t.Parallel()
	models := listFile(t, FormatOpenRouter, "testdata/openrouter_models.json")
	endpoints := listFile(t, FormatOpenRouterEndpoints, "testdata/openrouter_endpoints.json")
	if len(endpoints.Problems) != 1 || !strings.Contains(endpoints.Problems[0].Row, "Broken") {
		t.Errorf("problems: %+v", endpoints.Problems)
	}
	for _, lists := range [][]*PriceList{{models, endpoints}, {models, endpoints, models}} {
		var c Catalog
		if err := c.Use(lists...); err != nil {
			t.Fatal(err)
		}
		usage := Usage{Input: 1e6, Output: 1e6}
		for upstream, want := range map[string]string{
			"WandB":     "0.4",
			"DeepInfra": "0.27", // the dearest rate of two that the answer does not tell apart
			"Elsewhere": "18",   // the model's own
		} {
			if got := costOf(t, &c, "openrouter", "acme/plain-1", usage, conditions{upstream: upstream}); got != MustMoney(want) {
				t.Errorf("served by %s: %s, want $%s", upstream, got, want)
			}
		}
		priority := conditions{upstream: "Acme", tier: "priority"}
		if got := costOf(t, &c, "openrouter", "acme/plain-1", Usage{Input: 100_001}, priority); got != MustMoney("1.200012") {
			t.Errorf("an endpoint's own long-context price: %s", got)
		}
	}
	var alone Catalog
	if err := alone.Use(endpoints); err != nil {
		t.Fatal(err)
	}
	if got := costOf(t, &alone, "openrouter", "acme/plain-1", Usage{Input: 1e6}, conditions{}); got != MustMoney("0.1") {
		t.Errorf("without a list of models: %s", got)
	}
}

func TestReadPriceListSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	tests := []struct {
		format     PriceFormat
		text, want string
	}{
		{"toml", "{}", "want one of"},
		{FormatLiteLLM, "", "it is empty"},
		{FormatLiteLLM, "<html>", "line 1"},
		{FormatLiteLLM, "{}", "no model"},
		{FormatLiteLLM, `{"a":{"litellm_provider":"openai","input_cost_per_token":5}}`, "another unit"},
		{FormatGenAIPrices, "[]", "no model"},
		{FormatModelsDev, `{"openai":{"models":[]}}`, "line 1"},
		{FormatOpenRouter, `{"data":[{"id":"a/b","pricing":{"prompt":"2","completion":"2"}}]}`, "another unit"},
		{FormatOpenRouterEndpoints, `{"data":{"endpoints":[]}}`, "empty"},
	}
	for _, test := range tests {
		_, err := ReadPriceList(test.format, "somewhere", listDay, strings.NewReader(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %s: %v, want an error that says %q", test.format, test.text, err, test.want)
		}
	}
}

func priced(rates string, prices ...string) string {
	for i, p := range prices {
		prices[i] = "," + p
	}
	return `{"models":[{"provider":"openai","name":"m","prices":[{"per_million":{` + rates + `}}` + strings.Join(prices, "") + `]}]}`
}

// as gives a list another form, so that one row can stand in any rank.
func as(format PriceFormat, list *PriceList) *PriceList {
	list.Format = format
	return list
}

func TestUseRanksSources(t *testing.T) {
	t.Parallel()
	list := func(format PriceFormat, dollars string) *PriceList {
		return as(format, listOf(t, FormatFarebox, listDay, priced(`"input":`+dollars)))
	}
	low, high, own := list(FormatLiteLLM, "1"), list(FormatGenAIPrices, "2"), list(FormatFarebox, "3")
	for _, order := range [][]*PriceList{{low, high, own}, {own, high, low}, {high, own, low}} {
		var c Catalog
		if err := c.Use(order...); err != nil {
			t.Fatal(err)
		}
		if got := costOf(t, &c, "openai", "m", Usage{Input: 1e6}, conditions{}); got != Dollars(3) {
			t.Errorf("a file of one's own is outranked: %s", got)
		}
	}
	for _, order := range [][]*PriceList{{low, high}, {high, low}} {
		var c Catalog
		if err := c.Use(order...); err != nil {
			t.Fatal(err)
		}
		if got := costOf(t, &c, "openai", "m", Usage{Input: 1e6}, conditions{at: noon}); got != Dollars(2) {
			t.Errorf("genai-prices is outranked by LiteLLM: %s", got)
		}
	}
}

func TestUseKeepsHistory(t *testing.T) {
	t.Parallel()
	var c Catalog
	day := func(d int) time.Time { return listDay.AddDate(0, 0, d) }
	use := func(d int, dollars string) {
		t.Helper()
		if err := c.Use(as(FormatLiteLLM, listOf(t, FormatFarebox, day(d), priced(`"input":`+dollars)))); err != nil {
			t.Fatal(err)
		}
	}
	use(0, "1")
	use(1, "1")
	use(2, "4")
	use(3, "4")
	for d, want := range map[int]int64{-30: 1, 0: 1, 1: 1, 2: 4, 3: 4} {
		if got := costOf(t, &c, "openai", "m", Usage{Input: 1e6}, conditions{at: day(d)}); got != Dollars(want) {
			t.Errorf("on day %d: %s, want $%d", d, got, want)
		}
	}
	m, _ := c.Find("openai", "m")
	if len(m.Prices) != 2 || !m.Prices[1].From.Equal(day(2)) || !m.Prices[1].AsOf.Equal(day(3)) {
		t.Errorf("history: %+v", m.Prices)
	}
}

func TestUseLeavesANewerSnapshotAlone(t *testing.T) {
	t.Parallel()
	c := newSnapshot(t)
	before := costOf(t, c, "openai", "gpt-4o-mini", Usage{Input: 1e6}, conditions{})
	row := `{"models":[{"provider":"openai","name":"gpt-4o-mini","prices":[{"per_million":{"input":9}}]}]}`
	if err := c.Use(as(FormatCatwalk, listOf(t, FormatFarebox, time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), row))); err != nil {
		t.Fatal(err)
	}
	if got := costOf(t, c, "openai", "gpt-4o-mini", Usage{Input: 1e6}, conditions{}); got != before {
		t.Errorf("a list of 2020 outranks a newer snapshot: %s", got)
	}
	if err := c.Use(as(FormatCatwalk, listOf(t, FormatFarebox, listDay, row))); err != nil {
		t.Fatal(err)
	}
	if got := costOf(t, c, "openai", "gpt-4o-mini", Usage{Input: 1e6}, conditions{}); got != Dollars(9) {
		t.Errorf("a newer list does not replace the snapshot's price: %s", got)
	}
	if got := costOf(t, c, "openai", "gpt-4o-mini", Usage{Input: 1e6}, conditions{at: listDay.AddDate(0, 0, -1)}); got != before {
		t.Errorf("the day before, it was %s and is %s", before, got)
	}
	m, _ := c.Find("openai", "gpt-4o-mini")
	if m.ContextTokens == 0 {
		t.Error("what the list does not know of the model is lost")
	}
}

// A list that prices one of a model's names says nothing of its other names.
func TestUseLeavesOtherNamesAlone(t *testing.T) {
	t.Parallel()
	c := newSnapshot(t)
	row := `{"models":[{"provider":"anthropic","name":"claude-3-5-sonnet-20240620","prices":[{"per_million":{"input":9}}]},` +
		`{"provider":"openai","name":"gpt-4o-mini-2031-01-01","prices":[{"per_million":{"input":900}}]}]}`
	list := as(FormatLiteLLM, listOf(t, FormatFarebox, listDay, row))
	if d := c.Differences(list, 1); len(d) != 1 || d[0].Model != "claude-3-5-sonnet-20240620" {
		t.Errorf("a dated name is compared with the one without a date: %+v", d)
	}
	if err := c.Use(list); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int64{
		"claude-3-5-sonnet-20240620": 9, "claude-3-5-sonnet-20241022": 3, "claude-3-5-sonnet-latest": 3, "claude-3-5-sonnet": 3,
	} {
		if got := costOf(t, c, "anthropic", name, Usage{Input: 1e6}, conditions{}); got != Dollars(want) {
			t.Errorf("%s costs %s, want $%d", name, got, want)
		}
	}
}

func TestDifferences(t *testing.T) {
	t.Parallel()
	var c Catalog
	known := priced(`"input":100,"output":10,"cache_read":1`)
	if err := c.Use(listOf(t, FormatFarebox, listDay, known)); err != nil {
		t.Fatal(err)
	}
	list := listOf(t, FormatFarebox, listDay, priced(`"input":101,"output":10.2,"cache_write":5`))
	got := c.Differences(list, 1)
	if len(got) != 1 || got[0].Dimension != DimensionOutput || got[0].Listed != MustPerMillion("10.2") || got[0].Known != MustPerMillion("10") {
		t.Errorf("differences over 1 %%: %+v", got)
	}
	if got := c.Differences(list, 0); len(got) != 2 {
		t.Errorf("differences: %+v", got)
	}
	if got := c.Differences(listOf(t, FormatFarebox, listDay, known), 0); len(got) != 0 {
		t.Errorf("a list differs from itself: %+v", got)
	}
}

func FuzzOpenRouterEndpoints(f *testing.F) {
	data, err := os.ReadFile("testdata/openrouter_endpoints.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(data))
	f.Fuzz(func(t *testing.T, text string) {
		for _, format := range []PriceFormat{FormatOpenRouterEndpoints, FormatOpenRouter} {
			list, err := ReadPriceList(format, "fuzz", listDay, strings.NewReader(text))
			if err != nil {
				continue
			}
			var c Catalog
			if err := c.Use(list, list); err != nil {
				t.Fatalf("what was read cannot be used: %v", err)
			}
		}
	})
}
