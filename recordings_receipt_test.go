package farebox_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/farebox-go/farebox"
)

// checkReceipt checks an exchange's receipt against what the provider reported.
func (x *exchange) checkReceipt(t *testing.T, r *farebox.Receipt) {
	t.Helper()
	if r.Status != x.Response.Status {
		t.Errorf("status %d, want %d", r.Status, x.Response.Status)
	}
	checkSound(t, r)
	x.checkQuote(t, r)
	if x.Expect != nil {
		x.Expect.check(t, r)
		return
	}
	if seen := r.RawUsage != nil; seen != (x.usage != nil) && !(seen && recordedAPIs[x.api].beside) {
		t.Errorf("usage %s, want %s", r.RawUsage, x.usage)
	}
	if x.usage != nil {
		recordedAPIs[x.api].usage(t, x, r)
	}
	if x.cost != nil {
		x.checkCost(t, r)
		return
	}
	x.checkSource(t, r)
}

// shortened are recordings whose prompts were replaced by shorter ones.
var shortened = []string{"openllmetry__bedrock_metrics_test_bedrock_prompt_caching_metrics_test_prompt_cache"}

// checkQuote checks that nothing cost more than it was quoted at most, unless the quote says that it rests on an assumption.
func (x *exchange) checkQuote(t *testing.T, r *farebox.Receipt) {
	t.Helper()
	if r.Source != farebox.Computed || r.HasFlag(farebox.FlagAssumedLimit) || r.HasFlag(farebox.FlagAssumedTier) || x.Expect != nil ||
		slices.ContainsFunc(shortened, func(name string) bool { return strings.Contains(x.name, name) }) {
		return
	}
	if r.Quote.Most.Less(r.Cost) {
		t.Errorf("cost %s, though at most %s was quoted, without an assumption: %+v", r.Cost, r.Quote.Most, r.Usage)
	}
}

// checkSound checks what has to hold for every receipt.
func checkSound(t *testing.T, r *farebox.Receipt) {
	t.Helper()
	var sum farebox.Money
	for _, line := range r.Lines {
		sum = sum.Add(line.Amount)
	}
	if sum.Cmp(r.Computed) != 0 {
		t.Errorf("the lines add up to %s, computed is %s: %+v", sum, r.Computed, r.Lines)
	}
	if r.Source == farebox.Computed && r.Cost.Cmp(r.Computed) != 0 {
		t.Errorf("cost %s, computed %s", r.Cost, r.Computed)
	}
	counts := reflect.ValueOf(r.Usage)
	for i := range counts.NumField() {
		if count := counts.Field(i); count.CanInt() && count.Int() < 0 {
			t.Errorf("a count below zero: %+v", r.Usage)
		}
	}
	for unit, count := range r.Usage.Units {
		if count <= 0 {
			t.Errorf("%d of %s", count, unit)
		}
	}
	if r.Cost.Sign() < 0 || r.Attempt != 1 || r.CallID == "" {
		t.Errorf("cost %s, attempt %d, call %q", r.Cost, r.Attempt, r.CallID)
	}
	if text, err := json.Marshal(r); err != nil || !json.Valid(text) {
		t.Errorf("the receipt does not encode: %v", err)
	}
}

// statedUsage is a usage as providers write it.
type statedUsage struct {
	Prompt        int64 `json:"prompt_tokens"`
	Completion    int64 `json:"completion_tokens"`
	Total         int64 `json:"total_tokens"`
	PromptDetails struct {
		Cached  int64 `json:"cached_tokens"`
		Written int64 `json:"cache_write_tokens"`
		Audio   int64 `json:"audio_tokens"`
	} `json:"prompt_tokens_details"`
	CompletionDetails struct {
		Reasoning int64 `json:"reasoning_tokens"`
		Audio     int64 `json:"audio_tokens"`
	} `json:"completion_tokens_details"`
}

// checkUsage checks, for OpenAI's names, that the receipt's kinds are disjoint and add up to what was reported.
func checkUsage(t *testing.T, x *exchange, r *farebox.Receipt) {
	t.Helper()
	var want statedUsage
	if err := json.Unmarshal(x.usage, &want); err != nil {
		t.Fatal(err)
	}
	u := r.Usage
	sum := want.Total
	if sum == 0 {
		sum = want.Prompt + want.Completion
	}
	if u.InputTokens()+u.OutputTokens() != sum {
		t.Errorf("read %d + %d of %s", u.InputTokens(), u.OutputTokens(), x.usage)
	}
	if !bytes.Contains(x.body(), r.RawUsage) {
		t.Errorf("the raw usage %s is not what was sent", r.RawUsage)
	}
	if u.Requests != 1 {
		t.Errorf("%d requests", u.Requests)
	}
	if r.HasFlag(farebox.FlagContradictoryUsage) {
		return
	}
	if u.InputTokens() < want.Prompt || u.OutputTokens() < want.Completion {
		t.Errorf("%d in and %d out of %s", u.InputTokens(), u.OutputTokens(), x.usage)
	}
	for _, kind := range []struct {
		name          string
		got, reported int64
	}{
		{"cached", u.CacheRead + u.AudioCacheRead, want.PromptDetails.Cached},
		{"written to the cache", u.CacheWrite + u.CacheWrite1h, want.PromptDetails.Written},
		{"audio input", u.AudioInput + u.AudioCacheRead, want.PromptDetails.Audio},
		{"reasoning", u.Reasoning, want.CompletionDetails.Reasoning},
		{"audio output", u.AudioOutput, want.CompletionDetails.Audio},
	} {
		if kind.got < kind.reported {
			t.Errorf("%s: %d of %d, in %s", kind.name, kind.got, kind.reported, x.usage)
		}
	}
}

// checkCost checks the receipt of an exchange whose provider states what it cost. With a key of the user's own behind
// the gateway its figure is the gateway's charge only, and the upstream's bill comes on top.
func (x *exchange) checkCost(t *testing.T, r *farebox.Receipt) {
	t.Helper()
	if r.Source != farebox.Reported || r.Reported == nil {
		t.Fatalf("source %s, reported %+v, want a reported cost of %s", r.Source, r.Reported, x.cost)
	}
	if !near(r.Reported.Charge, *x.cost) {
		t.Errorf("charge %s, want %s", r.Reported.Charge, x.cost)
	}
	want := *x.cost
	if x.usage != nil {
		want = want.Add(upstreamBill(t, x.usage))
	}
	if !near(r.Cost, want) {
		t.Errorf("cost %s, want %s", r.Cost, want)
	}
}

// upstreamBill is what the provider behind a gateway bills to a key of the user's own.
func upstreamBill(t *testing.T, usage json.RawMessage) farebox.Money {
	t.Helper()
	var stated struct {
		BYOK    bool `json:"is_byok"`
		Details struct {
			Upstream *farebox.Money `json:"upstream_inference_cost"`
		} `json:"cost_details"`
	}
	if err := json.Unmarshal(usage, &stated); err != nil {
		t.Fatal(err)
	}
	if !stated.BYOK || stated.Details.Upstream == nil {
		return farebox.Money{}
	}
	return *stated.Details.Upstream
}

// refusals are the statuses that nobody bills.
var refusals = []int{
	http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
	http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity, http.StatusTooManyRequests,
}

// checkSource checks where the cost comes from, for a provider that states none.
func (x *exchange) checkSource(t *testing.T, r *farebox.Receipt) {
	t.Helper()
	read := x.read()
	var want []farebox.Source
	switch {
	case slices.Contains(refusals, x.Response.Status):
		want = []farebox.Source{farebox.Unbilled}
	case x.Response.Status >= 400, read.failed && x.usage == nil:
		want = []farebox.Source{farebox.Unbilled, farebox.Held, farebox.Unpriced}
	case x.usage != nil && r.HasFlag(farebox.FlagAssumedTier):
		want = []farebox.Source{farebox.Estimated}
	case x.usage != nil || r.RawUsage != nil && recordedAPIs[x.api].beside:
		want = []farebox.Source{farebox.Computed, farebox.Unpriced}
	case len(r.Usage.Units) > 0: // images, characters: the request says how many
		want = []farebox.Source{farebox.Computed, farebox.Estimated, farebox.Held, farebox.Unpriced}
	case !recordedAPIs[x.api].client: // whose answers read does not know
		want = []farebox.Source{farebox.Estimated, farebox.Held, farebox.Unpriced}
	case read.empty || read.cut:
		want = []farebox.Source{farebox.Held, farebox.Unpriced}
	default:
		want = []farebox.Source{farebox.Estimated, farebox.Unpriced}
	}
	if !slices.Contains(want, r.Source) {
		t.Errorf("source %s, want one of %s", r.Source, want)
	}
	if r.Reported != nil {
		t.Errorf("a cost of %s where none is stated", r.Reported.Literal)
	}
	if (r.Source == farebox.Unpriced || r.Source == farebox.Unbilled) && !r.Cost.IsZero() {
		t.Errorf("%s, and yet a cost of %s", r.Source, r.Cost)
	}
}

// check compares a receipt with what is stated of an exchange that was written by hand.
func (e *expectation) check(t *testing.T, r *farebox.Receipt) {
	t.Helper()
	usage := r.Usage
	if r.Source == farebox.Estimated {
		usage.Input = e.Usage.Input // is estimated by the request, which is not what is tested here
	}
	if !reflect.DeepEqual(usage, e.Usage) {
		t.Errorf("usage %+v, want %+v", r.Usage, e.Usage)
	}
	if r.Source != e.Source {
		t.Errorf("source %s, want %s", r.Source, e.Source)
	}
	if e.Cost != nil && r.Cost.Cmp(*e.Cost) != 0 {
		t.Errorf("cost %s, want %s", r.Cost, e.Cost)
	}
	if e.Charge != nil && (r.Reported == nil || r.Reported.Charge.Cmp(*e.Charge) != 0) {
		t.Errorf("reported %+v, want a charge of %s", r.Reported, e.Charge)
	}
	if (e.Source == farebox.Reported || e.Source == farebox.Computed) && e.Cost == nil {
		t.Errorf("the cost is not stated; it is %s", r.Cost)
	}
	if e.Model != r.Model || e.Upstream != r.Upstream || e.Finish != r.FinishReason {
		t.Errorf("model %q of %q, finish %q; want %q of %q, %q", r.Model, r.Upstream, r.FinishReason, e.Model, e.Upstream, e.Finish)
	}
	got := slices.DeleteFunc(slices.Clone(r.Flags), func(f farebox.Flag) bool { return f == farebox.FlagAssumedLimit })
	if !slices.Equal(got, e.Flags) {
		t.Errorf("flags %q, want %q", got, e.Flags)
	}
	if r.Partial != e.Partial {
		t.Errorf("partial %v, want %v", r.Partial, e.Partial)
	}
}
