package pricelist

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func read(t *testing.T, name string, reader func([]byte) (*List, error)) *List {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	list, err := reader(data)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func find(t *testing.T, list *List, provider, name string) Model {
	t.Helper()
	for _, m := range list.Models {
		if m.Provider == provider && m.Name == name {
			return m
		}
	}
	t.Fatalf("no %s/%s in the list", provider, name)
	return Model{}
}

func wantRates(t *testing.T, what string, got Rates, want Rates) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("%s: rates are\n %v, want\n %v", what, got, want)
	}
}

// override finds the one override with a condition.
func override(t *testing.T, p Price, when When) Override {
	t.Helper()
	for _, o := range p.Overrides {
		if sameOverride(Override{When: o.When}, Override{When: when}) {
			return o
		}
	}
	t.Fatalf("no override when %+v; there are %+v", when, p.Overrides)
	return Override{}
}

func hours(start, end string) *Hours {
	h, err := parseHours(start + "-" + end)
	if err != nil {
		panic(err)
	}
	return &h
}

func wantProblem(t *testing.T, list *List, row, says string) {
	t.Helper()
	for _, p := range list.Problems {
		if p.Row == row && strings.Contains(p.Reason, says) {
			return
		}
	}
	t.Errorf("no problem with %s that says %q; there are %v", row, says, list.Problems)
}

func TestLiteLLM(t *testing.T) {
	t.Parallel()
	list := read(t, "litellm.json", LiteLLM)

	astra := find(t, list, "openai", "gpt-6-astra")
	price := astra.Prices[0]
	wantRates(t, "astra", price.Rates, Rates{
		"input": "0.000004", "output": "0.00002", "cache_read": "0.0000004", "cache_write": "0.000005",
		"web_search": "0.035", "web_search/low": "0.03", "web_search/medium": "0.035", "web_search/high": "0.05",
	})
	wantRates(t, "astra over 272k", override(t, price, When{Over: 272_000}).Rates, Rates{
		"input": "0.000008", "output": "0.00003", "cache_read": "0.0000008", "cache_write": "0.00001",
	})
	wantRates(t, "astra flex", override(t, price, When{ServiceTier: "flex"}).Rates, Rates{
		"input": "0.000002", "output": "0.00001", "cache_read": "0.0000002",
	})
	wantRates(t, "astra batch", override(t, price, When{ServiceTier: "batch"}).Rates, Rates{"input": "0.000002"})
	wantRates(t, "astra priority, long", override(t, price, When{ServiceTier: "priority", Over: 272_000}).Rates, Rates{"input": "0.000016"})
	priority := slices.IndexFunc(price.Overrides, func(o Override) bool { return o.When == When{ServiceTier: "priority"} })
	long := slices.IndexFunc(price.Overrides, func(o Override) bool { return o.When == When{ServiceTier: "priority", Over: 272_000} })
	if long < priority {
		t.Error("a service tier's own long-context rates come before its base, which would replace them")
	}
	if astra.ContextTokens != 922_000 || astra.MaxOutputTokens != 128_000 || astra.Tools != Yes || astra.Inputs != Text|Image {
		t.Errorf("astra: %+v", astra)
	}

	claude := find(t, list, "anthropic", "claude-omega-4").Prices[0]
	if claude.Rates["cache_write_1h"] != "0.00001" || override(t, claude, When{Speed: "fast"}).Multiply != "6" || override(t, claude, When{Region: "us"}).Multiply != "1.1" {
		t.Errorf("claude: %+v", claude)
	}
	grok := find(t, list, "xai", "grok-9").Prices[0]
	override(t, grok, When{Over: 200_000, Inclusive: true})
	gemini := find(t, list, "google", "gemini-9-pro").Prices[0]
	wantRates(t, "gemini over 200k", override(t, gemini, When{Over: 200_000}).Rates, Rates{"input": "0.0000025", "output": "0.000015"})

	qwen := find(t, list, "alibaba", "qwen-stairs").Prices[0]
	wantRates(t, "qwen", qwen.Rates, Rates{"input": "0.000001", "output": "0.000004", "cache_read": "0.0000001"})
	wantRates(t, "qwen over 32k", override(t, qwen, When{Over: 32_000}).Rates, Rates{"input": "0.000002", "output": "0.000008"})
}

func TestLiteLLMUnits(t *testing.T) {
	t.Parallel()
	list := read(t, "litellm.json", LiteLLM)
	for name, want := range map[string]Rates{
		"openai whisper-9":         {"audio_ms": "0.0000001"}, // $0.006 a minute, once though it stands twice
		"openai tts-9":             {"character": "0.000015"},
		"cohere rerank-v9":         {"input": "0", "output": "0", "search_unit": "0.002"},
		"mistral ocr-9":            {"page": "0.001", "page/annotated": "0.003"},
		"openai sora-9":            {"video_ms": "0.0001", "video_ms/1080p": "0.0005"},
		"openai dall-e-9":          {"image": "0.04", "image/1024x1792/hd": "0.12000000512"},
		"bedrock stability.paint":  {"image/1024x1024": "0.04"},
		"azure gpt-6-astra":        {"input": "0.0000044", "output": "0.000022"},
		"bedrock us.amazon.nova-9": {"input": "0.0000000825", "output": "0.00000033"}, // without the noise of a float
		"vertex claude-omega-4":    {"input": "0.000005", "output": "0.000025"},
	} {
		provider, model, _ := strings.Cut(name, " ")
		got := find(t, list, provider, model).Prices[0].Rates
		if name == "openai dall-e-9" {
			want["image/1024x1792/hd"] = got["image/1024x1792/hd"]
			if !strings.HasPrefix(want["image/1024x1792/hd"], "0.1199") && !strings.HasPrefix(want["image/1024x1792/hd"], "0.12") {
				t.Errorf("an image priced per pixel costs %s", got["image/1024x1792/hd"])
			}
		}
		wantRates(t, name, got, want)
	}
	if m := find(t, list, "openai", "text-embedding-9"); !m.Embedding || m.MaxOutputTokens != 0 || m.Prices[0].Rates["output"] != "0" {
		t.Errorf("embedding: %+v", m)
	}
}

func TestLiteLLMOffPeak(t *testing.T) {
	t.Parallel()
	price := find(t, read(t, "litellm.json", LiteLLM), "deepseek", "deepseek-night").Prices[0]
	everyDay := override(t, price, When{Hours: hours("16:30", "00:30")})
	wantRates(t, "off peak", everyDay.Rates, Rates{"input": "0.000000135", "output": "0.00000055"})
	// 20:00 to 22:00 UTC is 04:00 to 06:00 of the next day in Shanghai: its Saturday and Sunday are Friday and Saturday here.
	override(t, price, When{Hours: hours("20:00", "22:00"), Weekdays: 1<<time.Friday | 1<<time.Saturday})
}

func TestLiteLLMLeavesOutWhatIsWrong(t *testing.T) {
	t.Parallel()
	list := read(t, "litellm.json", LiteLLM)
	wantProblem(t, list, "wrong-unit", "past what is believed")
	wantProblem(t, list, "negative", "negative")
	wantProblem(t, list, "strange", "moon_cost_per_phase")
	wantProblem(t, list, "not an entry", "no object")
	find(t, list, "openai", "strange")
	for _, m := range list.Models {
		if slices.Contains([]string{"wrong-unit", "negative", "nobody-knows", "sample_spec"}, m.Name) || m.Provider == "github_copilot" {
			t.Errorf("%s/%s is in the list", m.Provider, m.Name)
		}
	}
}

func TestModelsDev(t *testing.T) {
	t.Parallel()
	list := read(t, "modelsdev.json", ModelsDev)
	astra := find(t, list, "openai", "gpt-6-astra")
	price := astra.Prices[0]
	wantRates(t, "astra", price.Rates, Rates{"input": "0.000004", "output": "0.00002", "cache_read": "0.0000004"})
	wantRates(t, "astra over 272k", override(t, price, When{Over: 272_000}).Rates, Rates{"input": "0.000008", "output": "0.00003", "cache_read": "0.0000008"})
	wantRates(t, "astra priority", override(t, price, When{ServiceTier: "priority"}).Rates, Rates{"input": "0.000008", "output": "0.00004"})
	if len(price.Overrides) != 2 {
		t.Errorf("the tier stands twice in the list, and so here: %+v", price.Overrides)
	}
	if astra.Inputs != Text|Image|File || astra.Tools != Yes || astra.StructuredOutput != Yes || astra.ContextTokens != 1_050_000 {
		t.Errorf("astra: %+v", astra)
	}
	gemini := find(t, list, "vertex", "gemini-9-pro").Prices[0]
	override(t, gemini, When{Over: 200_000})
	wantRates(t, "free", find(t, list, "openrouter", "deepseek/deepseek-night:free").Prices[0].Rates, Rates{"input": "0", "output": "0"})
	wantProblem(t, list, "openai/gpt-negative", "negative")
	wantProblem(t, list, "openai/gpt-words", "line 1")
	if len(list.Models) != 3 {
		t.Errorf("%d models: %+v", len(list.Models), list.Models)
	}
}

func TestGenAIPrices(t *testing.T) {
	t.Parallel()
	list := read(t, "genai.json", GenAIPrices)
	astra := find(t, list, "openai", "gpt-6-astra")
	if !slices.Equal(astra.Aliases, []string{"gpt-6-astra-2026-11-01"}) || len(astra.Prices) != 2 {
		t.Fatalf("astra: %+v", astra)
	}
	then, now := astra.Prices[0], astra.Prices[1]
	wantRates(t, "before", then.Rates, Rates{"input": "0.000005", "output": "0.00003"})
	wantRates(t, "since", now.Rates, Rates{"input": "0.000004", "output": "0.00002", "cache_read": "0.0000004", "web_search": "0.01"})
	wantRates(t, "long", override(t, now, When{Over: 272_000}).Rates, Rates{"input": "0.000008", "output": "0.00003"})
	if now.From.Format(time.DateOnly) != "2026-11-10" || !then.From.IsZero() {
		t.Errorf("dates: %v, %v", then.From, now.From)
	}
	night := find(t, list, "deepseek", "deepseek-night").Prices[0]
	wantRates(t, "by day", override(t, night, When{Hours: hours("00:30", "16:30")}).Rates, Rates{"input": "0.00000027", "output": "0.0000011"})
	wantRates(t, "pages", find(t, list, "mistral", "ocr-9").Prices[0].Rates, Rates{"page": "0.001", "page/annotated": "0.003"})
	find(t, list, "vertex", "claude-omega-4")
	if m := find(t, list, "openai", "text-embedding-9"); !m.Embedding {
		t.Errorf("embedding: %+v", m)
	}
	wantProblem(t, list, "openai/gpt-dear", "past what is believed")
	wantProblem(t, list, "openai/gpt-moon", "moon_phases_kcount")
	wantProblem(t, list, "provider 5", "no id")
	if list.Skipped["recognised by patterns only, without an exact name"] != 1 {
		t.Errorf("skipped: %v", list.Skipped)
	}
}

func TestCatwalk(t *testing.T) {
	t.Parallel()
	list := read(t, "catwalk.json", Catwalk)
	wantRates(t, "astra", find(t, list, "openai", "gpt-6-astra").Prices[0].Rates, Rates{
		"input": "0.000004", "output": "0.00002", "cache_write": "0.000005", "cache_read": "0.0000004", // in_cached is WRITE
	})
	wantRates(t, "swapped", find(t, list, "openai", "gpt-swapped").Prices[0].Rates, Rates{"input": "0.000001", "output": "0.000004"})
	wantRates(t, "free", find(t, list, "openrouter", "deepseek/deepseek-night:free").Prices[0].Rates, Rates{"input": "0", "output": "0"})
	wantProblem(t, list, "openai/gpt-negative", "negative")
	if len(list.Models) != 3 {
		t.Errorf("%d models: %+v", len(list.Models), list.Models)
	}
}

func TestOwn(t *testing.T) {
	t.Parallel()
	list := read(t, "own.json", Own)
	astra := find(t, list, "openai", "gpt-6-astra")
	now := astra.Prices[1]
	wantRates(t, "astra", now.Rates, Rates{"input": "0.000004", "output": "0.00002", "cache_read": "0.0000004", "web_search": "0.01", "image/1024x1024/hd": "0.04"})
	if override(t, now, When{ServiceTier: "flex"}).Multiply != "0.5" || override(t, now, When{Region: "eu"}).Multiply != "1.1" {
		t.Errorf("astra: %+v", now)
	}
	override(t, now, When{Hours: hours("16:30", "00:30"), Weekdays: 1<<time.Monday | 1<<time.Tuesday})
	if now.Source != "contract 4711" || now.AsOf.Format(time.DateOnly) != "2026-11-01" {
		t.Errorf("provenance: %+v", now)
	}
	wantRates(t, "free", find(t, list, "", "local-llama").Prices[0].Rates, Rates{"input": "0", "output": "0"})
	if !find(t, list, "gateway", "auto").Prices[0].Variable {
		t.Error("auto is not variable")
	}
}

func TestOwnRefusesWhole(t *testing.T) {
	t.Parallel()
	row := func(price string) string {
		return `{"models":[{"name":"good","prices":[{"free":true}]},{"name":"bad","prices":[` + price + `]}]}`
	}
	for file, says := range map[string]string{
		``:                             "empty",
		`{"models":[]}`:                "no model",
		"{\n\"models\":[\n{]}":         "line 3",
		`{"modles":[]}`:                "modles",
		`{"as_of":"soon","models":[]}`: "no date",
		`{"models":[{"name":"two words","prices":[{"free":true}]}]}`:                               "one word",
		`{"models":[{"name":"m","prices":[]}]}`:                                                    "at least one",
		`{"models":[{"name":"m","prices":[{"free":true}]},{"name":"m","prices":[{"free":true}]}]}`: "stands twice",
		row(`{}`):                                                                 "models[1] /bad: prices[0]: no rates",
		row(`{"per_milion":{"input":1}}`):                                         "per_milion",
		row(`{"per_million":{"inputs":1}}`):                                       `"inputs" is no dimension`,
		row(`{"per_million":{"web_search":1}}`):                                   "others stand in per_unit",
		row(`{"per_unit":{"input":1}}`):                                           "others stand in per_million",
		row(`{"per_million":{"input":-1}}`):                                       "negative",
		row(`{"per_million":{"input":"1e999999999"}}`):                            "exponent",
		row(`{"per_million":{"input":1000000}}`):                                  "past what is believed",
		row(`{"free":true,"per_million":{"input":1}}`):                            "has no rates",
		row(`{"variable":true,"per_million":{"input":1}}`):                        "no rates of its own",
		row(`{"per_million":{"input":1},"overrides":[{"when":{"region":"eu"}}]}`): "changes nothing",
		row(`{"per_million":{"input":1},"overrides":[{"when":{"hours_utc":"night"},"multiplier":2}]}`): "16:30-00:30",
		row(`{"per_million":{"input":1},"overrides":[{"when":{"days":["caturday"]},"multiplier":2}]}`): "no weekday",
		row(`{"per_million":{"input":1},"overrides":[{"when":{"region":"eu"},"multiplier":0}]}`):       "everything free",
		row(`{"per_million":{"input":1}},{"per_million":{"input":2}}`):                                 "two prices",
	} {
		_, err := Own([]byte(file))
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s\n gives %v, want an error that says %q", file, err, says)
		}
	}
}

// What a list holds is usable, whatever was read: this is all that the importers promise.
func checkUsable(t *testing.T, list *List) {
	t.Helper()
	for i, m := range list.Models {
		if m.Name == "" || len(m.Prices) == 0 || m.ContextTokens < 0 || m.MaxOutputTokens < 0 {
			t.Fatalf("unusable: %+v", m)
		}
		if i > 0 && list.Models[i-1].Provider == m.Provider && list.Models[i-1].Name == m.Name {
			t.Fatalf("%s/%s stands twice", m.Provider, m.Name)
		}
		for j, p := range m.Prices {
			if j > 0 && !p.From.After(m.Prices[j-1].From) {
				t.Fatalf("%s/%s: prices out of order", m.Provider, m.Name)
			}
			checkRates(t, p.Rates)
			if !p.Variable && len(p.Rates) == 0 {
				t.Fatalf("%s/%s: a price without rates", m.Provider, m.Name)
			}
			for _, o := range p.Overrides {
				checkRates(t, o.Rates)
				if o.When.Over < 0 || len(o.Rates) == 0 && o.Multiply == "" {
					t.Fatalf("%s/%s: override %+v", m.Provider, m.Name, o)
				}
			}
		}
	}
}

func checkRates(t *testing.T, rates Rates) {
	t.Helper()
	for dimension, rate := range rates {
		value, err := parse(rate)
		if f, _ := value.Float64(); err != nil || value.Sign() < 0 || f > maxPerUnit || dimension == "" {
			t.Fatalf("%s=%s: %v", dimension, rate, err)
		}
	}
}

func fuzz(f *testing.F, seed string, reader func([]byte) (*List, error)) {
	data, err := os.ReadFile("testdata/" + seed)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"a":{"b":[1e999,null,"",-0,{}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if list, err := reader(data); err == nil {
			checkUsable(t, list)
		}
	})
}

func FuzzLiteLLM(f *testing.F)     { fuzz(f, "litellm.json", LiteLLM) }
func FuzzModelsDev(f *testing.F)   { fuzz(f, "modelsdev.json", ModelsDev) }
func FuzzGenAIPrices(f *testing.F) { fuzz(f, "genai.json", GenAIPrices) }
func FuzzCatwalk(f *testing.F)     { fuzz(f, "catwalk.json", Catwalk) }
func FuzzOwn(f *testing.F)         { fuzz(f, "own.json", Own) }
