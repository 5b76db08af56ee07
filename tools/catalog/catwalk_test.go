package main

import (
	"maps"
	"strings"
	"testing"
	"testing/fstest"
)

// The cached prices: which field is which, and which figures cannot be what their field says.
func TestCatwalkRates(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name                 string
		provider             string
		in, out, write, read float64
		want                 rates // nil: not known
	}{
		{"right", "anthropic", 3, 15, 3.75, 0.3, rates{"input": "3", "output": "15", "cache_write": "3.75", "cache_read": "0.3"}},
		{"zero is unknown", "groq", 0.29, 0.59, 0, 0, rates{"input": "0.29", "output": "0.59"}},
		{"read in both fields", "openai", 1.25, 10, 0.125, 0.125, rates{"input": "1.25", "output": "10", "cache_read": "0.125"}},
		{"read in the field for writing", "openai", 5, 30, 0.5, 0, rates{"input": "5", "output": "30"}},
		{"output in the field for reading", "google", 0.75, 3.75, 0.075, 3.75, rates{"input": "0.75", "output": "3.75"}},
		{"cheap write on OpenRouter", "openrouter", 1.25, 10, 0.375, 0.125, rates{
			"input": "1.25", "output": "10", "cache_write": "0.375", "cache_read": "0.125",
		}},
		{"no input price", "openai", 0, 1, 0, 0, nil},
		{"no output price", "openai", 1, 0, 0, 0, nil},
	}
	for _, test := range tests {
		got, err := catwalkRates(test.provider, test.in, test.out, test.write, test.read)
		if err != nil || (got == nil) != (test.want == nil) || !maps.Equal(got, test.want) {
			t.Errorf("%s: got %v, %v, want %v", test.name, got, err, test.want)
		}
	}
	if got, err := catwalkRates("openai", -1, 2, 0, 0); err == nil {
		t.Errorf("a negative price: got %v, want an error", got)
	}
}

func TestReadCatwalkErrors(t *testing.T) {
	t.Parallel()
	const dir = "internal/providers/configs/"
	for _, test := range []struct {
		name   string
		module fstest.MapFS
		want   string
	}{
		{"empty", fstest.MapFS{}, "no provider files"},
		{"broken", fstest.MapFS{dir + "a.json": {Data: []byte(`{`)}}, "a.json"},
		{"negative", fstest.MapFS{dir + "a.json": {Data: []byte(
			`{"id": "openai", "models": [{"id": "otter", "cost_per_1m_in": -1, "cost_per_1m_out": 1}]}`,
		)}}, "otter: input"},
	} {
		if got, err := readCatwalk(test.module); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, %v, want %q", test.name, got, err, test.want)
		}
	}
}

// A false for reasoning is believed only where a program filled it in.
func TestDescribe(t *testing.T) {
	t.Parallel()
	yep, nope := true, false
	tests := []struct {
		provider         string
		reasons, images  *bool
		reasoning, tools support
		inputs           modalities
	}{
		{"openai", &yep, &yep, yes, unknown, "ti"},
		{"openai", &nope, &nope, unknown, unknown, "t"},
		{"openai", nil, nil, unknown, unknown, ""},
		{"openrouter", &nope, &nope, no, yes, "t"},
		{"openrouter", nil, nil, unknown, yes, ""},
	}
	for _, test := range tests {
		m := model{provider: test.provider}
		m.describe(test.reasons, test.images)
		if m.reasoning != test.reasoning || m.tools != test.tools || m.inputs != test.inputs {
			t.Errorf("got %+v, want %+v", m, test)
		}
	}
}
