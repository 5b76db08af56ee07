package fareboxtest_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/fareboxtest"
)

func TestModelLists(t *testing.T) {
	t.Parallel()
	models := fareboxtest.WithModels(fareboxtest.Model{Name: "a/b", ServedAs: "a/b-2", ContextTokens: 100, Rates: farebox.Rates{
		farebox.DimensionInput: farebox.MustRate("0.01"), farebox.DimensionCacheRead: farebox.MustRate("0.001"), farebox.DimensionRequest: farebox.MustRate("3"),
	}})
	_, got := get(t, newProvider(t, models), "/models")
	requireJSON(t, `{"object":"list","data":[{"id":"a/b","object":"model","created":0,"owned_by":"fareboxtest"}]}`, got)
	_, got = get(t, newProvider(t, models, fareboxtest.WithStyle(fareboxtest.OpenRouter)), "/models")
	requireJSON(t, `{"data":[{"id":"a/b","canonical_slug":"a/b-2","name":"a/b","created":0,"context_length":100,
	 "architecture":{"input_modalities":["text"],"output_modalities":["text"],"tokenizer":"Other"},
	 "pricing":{"prompt":"0.01","completion":"0","input_cache_read":"0.001","request":"3"},
	 "top_provider":{"context_length":100,"max_completion_tokens":null,"is_moderated":false},
	 "supported_parameters":["max_tokens","tools","reasoning"]}]}`, got)
}

func TestGeneration(t *testing.T) {
	t.Parallel()
	p := newProvider(t, fareboxtest.WithStyle(fareboxtest.OpenRouter), fareboxtest.WithGenerationLag(2), saying("Good day to you"))
	resp, _, err := post(t, p, "/chat/completions", hello)
	if err != nil {
		t.Fatal(err)
	}
	path := "/generation?id=" + resp.Header.Get("X-Generation-Id")
	for range 2 {
		if status, body := get(t, p, path); status != http.StatusNotFound {
			t.Fatalf("too early, but %d: %s", status, body)
		}
	}
	status, body := get(t, p, path)
	if status != http.StatusOK {
		t.Fatalf("%d: %s", status, body)
	}
	var found struct {
		Data struct {
			Cost   json.Number `json:"total_cost"`
			Prompt int         `json:"native_tokens_prompt"`
			Output int         `json:"native_tokens_completion"`
		}
	}
	if err := json.Unmarshal([]byte(body), &found); err != nil {
		t.Fatal(err)
	}
	if found.Data.Cost != "0.00000285" || found.Data.Prompt != 3 || found.Data.Output != 4 {
		t.Errorf("got %+v", found.Data)
	}
	if status, _ := get(t, p, "/generation?id=gen-none"); status != http.StatusNotFound {
		t.Errorf("an unknown generation is %d", status)
	}
}
