package farebox_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/farebox-go/farebox"
)

// TestSignedBodies: a body that is part of a signature reaches the provider as it was signed, whatever farebox would edit.
func TestSignedBodies(t *testing.T) {
	t.Parallel()
	const signature = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261101/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=ab"
	provider := serve(t, answers(http.StatusOK, `{"stopReason":"end_turn","usage":{"inputTokens":3,"outputTokens":1}}`))
	// Dear enough that the budget has room for less output than is asked for.
	meter := newMeter(t, farebox.WithModels(house), farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Cents(1), WhenFull: farebox.Fit}))
	send := func(path, body, authorization string) error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, provider.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", authorization)
		resp, err := meter.HTTPClient().Do(req)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		return errors.Join(err, resp.Body.Close())
	}
	for _, test := range []struct{ path, body string }{
		{"/model/house-model/converse", `{"messages":[{"role":"user","content":[{"text":"a"}]}],"inferenceConfig":{"maxTokens":5}}`},
		{"/openai/v1/chat/completions", `{"model":"house-model","stream":true,"max_tokens":5,"messages":[{"role":"user","content":"a"}]}`},
	} {
		if err := send(test.path, test.body, signature); err != nil {
			t.Fatalf("%s: %v", test.path, err)
		}
		seen := provider.requests()
		if got := seen[len(seen)-1].body; !bytes.Equal([]byte(got), []byte(test.body)) {
			t.Errorf("%s: sent %s", test.path, got)
		}
		all := ledger(meter)
		if last := all[len(all)-1]; len(last.Edits) > 0 || last.KeyHash == "" || last.KeyHash != all[0].KeyHash {
			t.Errorf("%s: edits %v, key %q", test.path, last.Edits, last.KeyHash)
		}
	}
	large := `{"messages":[{"role":"user","content":[{"text":"a"}]}],"inferenceConfig":{"maxTokens":9000}}`
	var refused *farebox.BudgetError
	if err := send("/model/house-model/converse", large, signature); !errors.As(err, &refused) {
		t.Errorf("a signed call that does not fit: %v", err)
	}
	if err := send("/model/house-model/converse", large, "Bearer key"); err != nil {
		t.Errorf("a call that can be made to fit: %v", err)
	}
	seen := provider.requests()
	if got := string(seen[len(seen)-1].body); strings.Contains(got, "9000") || len(seen) != 3 {
		t.Errorf("of %d requests the last is %s", len(seen), got)
	}
}
