package openai

import (
	"encoding/json"
	"testing"

	"github.com/farebox-go/farebox/internal/wire"
)

func TestLimitOutput(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		op     wire.Operation
		body   string
		newest bool
		want   string // empty: an error
	}{
		{wire.Chat, `{"max_tokens":500,"model":"m"}`, false, `{"max_tokens":7,"model":"m"}`},
		{wire.Chat, `{"max_completion_tokens": 500 , "max_tokens":null}`, true, `{"max_completion_tokens": 7 , "max_tokens":7}`},
		{wire.Chat, `{ "model":"m" }`, false, `{ "model":"m","max_tokens":7 }`},
		{wire.Chat, `{"model":"m"}`, true, `{"model":"m","max_completion_tokens":7}`},
		{wire.TextCompletion, `{"model":"m"}`, true, `{"model":"m","max_tokens":7}`},
		{wire.Chat, `{"metadata":{"max_tokens":9}}`, false, `{"metadata":{"max_tokens":9},"max_tokens":7}`},
		{wire.Embeddings, `{"model":"m"}`, false, ""},
		{wire.Chat, `{}`, false, `{"max_tokens":7}`},
		{wire.Chat, `[1]`, false, ""},
		{wire.Chat, `{"a":`, false, ""},
	} {
		got, err := Format{}.LimitOutput(&wire.Request{Operation: test.op}, []byte(test.body), 7, test.newest)
		if string(got) != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s: %s, %v, want %s", test.body, got, err, test.want)
		}
	}
}

func FuzzLimitOutput(f *testing.F) {
	f.Add([]byte(`{"model":"m","max_tokens":1}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := Format{}.LimitOutput(&wire.Request{Operation: wire.Chat}, body, 7, false)
		if err != nil || !json.Valid(body) {
			return
		}
		var sent map[string]json.RawMessage // unlike a struct, this tells "MAX_TOKENS" from the limit
		if err := json.Unmarshal(got, &sent); err != nil {
			t.Fatalf("%q became %q: %v", body, got, err)
		}
		older, newer := string(sent["max_tokens"]), string(sent["max_completion_tokens"])
		if older != "7" && newer != "7" || older != "" && older != "7" || newer != "" && newer != "7" {
			t.Fatalf("%q became %q", body, got)
		}
	})
}
