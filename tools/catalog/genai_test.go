package main

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestGenaiPrices(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, src string
		want      []price
	}{
		{"plain", `{input_mtok: 3, output_mtok: 15, cache_write_1h_mtok: 6}`, []price{
			{rates: rates{"input": "3", "output": "15", "cache_write_1h": "6"}},
		}},
		{"fees are per thousand there", `{input_mtok: 2, output_mtok: 8, requests_kcount: 5, web_searches_kcount: 2.5}`, []price{
			{rates: rates{"input": "2", "output": "8", "request": "0.005", "web_search": "0.0025"}},
		}},
		{"tools and pages are priced each", `{input_mtok: 2, output_mtok: 8, storage_searches_kcount: 2.5, input_document_kpages: 3}`, []price{
			{rates: rates{"input": "2", "output": "8", "tool_call/file_search": "0.0025", "page": "0.003"}},
		}},
		{
			"tiers by threshold", `{
				input_mtok: {base: 1, tiers: [{start: 200000, price: 4}, {start: 127999, price: 2}]},
				output_mtok: {base: 5, tiers: [{start: 200000, price: 9}]}
			}`, []price{{
				rates: rates{"input": "1", "output": "5"},
				tiers: []tier{
					{over: 128000, inclusive: true, rates: rates{"input": "2"}},
					{over: 200000, rates: rates{"input": "4", "output": "9"}},
				},
			}},
		},
		{
			"history in order", `[
				{constraint: {type: "start_date", start_date: "2026-02-01"}, prices: {input_mtok: 1, output_mtok: 2}},
				{prices: {input_mtok: 3, output_mtok: 4}}
			]`, []price{
				{rates: rates{"input": "3", "output": "4"}},
				{from: "2026-02-01", rates: rates{"input": "1", "output": "2"}},
			},
		},
		{
			"a change that changes nothing", `[
				{prices: {input_mtok: 3, output_mtok: 4}},
				{constraint: {type: "start_date", start_date: "2026-02-01"}, prices: {input_mtok: 3, output_mtok: 4}}
			]`, []price{{rates: rates{"input": "3", "output": "4"}}},
		},
		{
			"times of day hold beside the newest price", `[
				{prices: {input_mtok: 3, output_mtok: 4}},
				{constraint: {type: "start_date", start_date: "2026-02-01"}, prices: {input_mtok: 2, output_mtok: 3}},
				{constraint: {type: "time_of_date", start_time: "16:30:00Z", end_time: "00:30:00Z"}, prices: {input_mtok: 1}}
			]`, []price{
				{rates: rates{"input": "3", "output": "4"}},
				{
					from: "2026-02-01", rates: rates{"input": "2", "output": "3"},
					overrides: []override{{when: "@16:30-00:30", rates: rates{"input": "1"}}},
				},
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, skipped, err := genaiPrices(literal(t, test.src))
			if err != nil || skipped != "" {
				t.Fatalf("got %q, %v", skipped, err)
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// A price in a dimension without a word would be lost, and the model priced too low.
func TestGenaiPricesSkips(t *testing.T) {
	t.Parallel()
	for _, src := range []string{
		`{input_mtok: 1, output_mtok: 2, moon_mtok: 17.5}`,
		`[{prices: {input_mtok: 1, output_mtok: 2}}, {prices: {sun_hours: 1}}]`,
	} {
		if _, skipped, err := genaiPrices(literal(t, src)); skipped == "" || err != nil {
			t.Errorf("%s: got %q, %v, want a reason to leave it out", src, skipped, err)
		}
	}
}

func TestGenaiPricesErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ src, want string }{
		{`{input_mtok: "1"}`, "no number"},
		{`{input_mtok: -1}`, "not a number"},
		{`{input_mtok: {tiers: []}}`, "no number"},
		{`{input_mtok: {base: 1, tiers: [{price: 2}]}}`, "no start"},
		{`{input_mtok: {base: 1, tiers: [{start: 5}]}}`, "no number"},
		{`[{constraint: {type: "phase_of_moon"}, prices: {}}]`, "cannot be expressed"},
		{`[{constraint: {type: "time_of_date", start_time: "1:00:00Z", end_time: "02:00:00Z"}, prices: {}}]`, "no time of day"},
		{`[{constraint: {type: "time_of_date", start_time: "01:00:00Z", end_time: "02:00:00Z"}, prices: {}}]`, "holds all day"},
	} {
		if _, _, err := genaiPrices(literal(t, test.src)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.src, err, test.want)
		}
	}
}

func TestConvertGenai(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, provider, src string
		want                model // the fields compared below
		skipped             string
	}{
		{
			name: "aliases are exact names", provider: "openai",
			src: `{id: "a", match: {or: [{equals: "a"}, {equals: "a-1"}, {equals: "a b"}, {starts_with: "a-2"}]},
				context_window: 1e6, prices: {input_mtok: 1, output_mtok: 2}}`,
			want: model{provider: "openai", name: "a", aliases: []string{"a-1"}, contextTokens: 1_000_000},
		},
		{
			name: "an id that its own pattern refuses is no name", provider: "openai",
			src:  `{id: "a", match: {or: [{starts_with: "a-2"}, {equals: "a-1"}]}, prices: {input_mtok: 1, output_mtok: 2}}`,
			want: model{provider: "openai", name: "a-1"},
		},
		{
			name: "the beginning of names is no name", provider: "openai",
			src:  `{id: "ft:a-", match: {starts_with: "ft:a-"}, prices: {input_mtok: 1, output_mtok: 2}}`,
			want: model{provider: "openai"},
		},
		{
			name: "embedding", provider: "mistral",
			src:  `{id: "x-embed", match: {equals: "x-embed"}, prices: {input_mtok: 1, output_mtok: 1}}`,
			want: model{provider: "mistral", name: "x-embed", embedding: true},
		},
		{
			name: "content", provider: "google",
			src: `{id: "gemini-x", match: {equals: "gemini-x"}, prices:
				{input_mtok: 1, output_mtok: 2, input_audio_mtok: 3, input_video_mtok: 1, output_image_mtok: 30}}`,
			want: model{provider: "google", name: "gemini-x", inputs: "tav", outputs: "ti"},
		},
		{
			name: "others of Google are on Vertex", provider: "google",
			src:  `{id: "claude", match: {contains: "claude"}, prices: {input_mtok: 1, output_mtok: 2}}`,
			want: model{provider: "vertex", name: "claude"},
		},
		{
			name: "free", provider: "openrouter",
			src:  `{id: "a/b:free", match: {equals: "a/b:free"}, prices: {}}`,
			want: model{provider: "openrouter", name: "a/b:free", free: true},
		},
		{
			name: "variable", provider: "openrouter",
			src:  `{id: "~a/latest", match: {equals: "~a/latest"}, prices: {input_mtok: 1, output_mtok: 2}}`,
			want: model{provider: "openrouter", name: "~a/latest", variable: true},
		},
		{
			name: "free or unknown", provider: "mistral", skipped: "nobody can tell",
			src:  `{id: "b:free", match: {equals: "b:free"}, prices: {}}`,
			want: model{provider: "mistral", name: "b:free"},
		},
		{
			name: "no output price", provider: "openai", skipped: "input and output",
			src:  `{id: "bge-reranker", match: {equals: "bge-reranker"}, prices: {input_mtok: 1}}`,
			want: model{provider: "openai", name: "bge-reranker"},
		},
		{
			name: "audio without a price", provider: "openai", skipped: "hears audio",
			src:  `{id: "x-audio-preview", match: {equals: "x-audio-preview"}, prices: {input_mtok: 1, output_mtok: 2}}`,
			want: model{provider: "openai", name: "x-audio-preview"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := convertGenai(genaiID(test.provider), asObject(literal(t, test.src)))
			if err != nil {
				t.Fatal(err)
			}
			if test.skipped == "" && got.skipped != "" || !strings.Contains(got.skipped, test.skipped) {
				t.Errorf("left out because %q, want %q", got.skipped, test.skipped)
			}
			m := got.model
			if !slices.Equal(m.aliases, test.want.aliases) {
				t.Errorf("aliases %q, want %q", m.aliases, test.want.aliases)
			}
			if embeds := m.embedding && m.prices[0].rates["output"] == ""; embeds != test.want.embedding {
				t.Errorf("embedding %t with %v", m.embedding, m.prices)
			}
			test.want.source, test.want.aliases, test.want.prices = genaiLetter, m.aliases, m.prices
			if !reflect.DeepEqual(m, test.want) {
				t.Errorf("got %+v, want %+v", m, test.want)
			}
		})
	}
}

// genaiID is a provider's name in genai-prices.
func genaiID(provider string) string {
	for id, name := range genaiProviders {
		if name == provider {
			return id
		}
	}
	return ""
}

func TestReadGenaiErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ module, want string }{
		{``, "no array"},
		{`export const x = 1;`, "no array"},
		{`const E = [{id: new Map()}]`, "code"},
		{`const E = [1, 2]`, "does not hold providers"},
		{`const E = [{id: "openai", models: [{}]}]`, "no id"},
		{`const E = [{id: "openai", models: [{id: "a"}]}]`, "pattern"},
		{`const E = [{id: "openai", models: [{id: "a", match: {equals: "a"}, prices: {input_mtok: -1}}]}]`, "not a number"},
	} {
		if _, err := readGenai(test.module); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.module, err, test.want)
		}
	}
}
