package farebox_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/farebox-go/farebox"
)

// later is a provider that answers in the background: what is posted is queued, and looked at later.
type later struct {
	mu    sync.Mutex
	looks map[string]string // by path: the answer to the next GET
	kind  string            // Content-Type of those
}

func (l *later) say(path, answer string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.looks == nil {
		l.looks = map[string]string{}
	}
	l.looks[path] = answer
}

func (l *later) RoundTrip(req *http.Request) (*http.Response, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	answer, kind := `{"id":"resp_1","object":"response","status":"queued","model":"house-model","usage":null}`, "application/json"
	switch {
	case req.Method == http.MethodGet:
		answer = l.looks[req.URL.Path]
		if l.kind != "" {
			kind = l.kind
		}
	case strings.HasSuffix(req.URL.Path, "/v1/batches"):
		answer = `{"id":"batch_1","object":"batch","status":"validating"}`
	case strings.HasSuffix(req.URL.Path, "/batches"):
		answer = `{"id":"msgbatch_1","type":"message_batch","processing_status":"in_progress","results_url":null}`
	}
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body)
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {kind}}, Request: req,
		Body: io.NopCloser(strings.NewReader(answer)), ContentLength: -1,
	}, nil
}

// do sends a request and reads the answer whole.
func do(t *testing.T, client *http.Client, method, url, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const completed = `{"id":"resp_1","status":"completed","model":"house-model","output":[],` +
	`"usage":{"input_tokens":1000,"input_tokens_details":{"cached_tokens":0},"output_tokens":100,"total_tokens":1100}}`

// TestBackgroundAnswer: what runs in the background stays charged at the most until a later look says what it cost, and is
// settled by that once, however often it is looked at, and by how many.
func TestBackgroundAnswer(t *testing.T) {
	t.Parallel()
	provider := &later{}
	budget := farebox.Budget{Name: "all", Cap: farebox.Dollars(1)}
	meter, err := farebox.NewMeter(farebox.WithBaseTransport(provider), farebox.WithModels(house), farebox.WithBudget(budget))
	if err != nil {
		t.Fatal(err)
	}
	client := meter.HTTPClient()
	const url = "https://api.openai.com/v1/responses"
	do(t, client, "POST", url, `{"model":"house-model","background":true,"input":"Hi","max_output_tokens":1000}`)
	receipts := slices.Collect(meter.Ledger().Receipts(farebox.Filter{}))
	if len(receipts) != 1 || receipts[0].Source != farebox.Held || receipts[0].GenerationID != "resp_1" || receipts[0].Partial {
		t.Fatalf("receipts %+v", receipts)
	}
	held := receipts[0].Cost
	if spent := meter.Guard().Snapshot()[0].Spent; held.Sign() <= 0 || spent.Less(held) {
		t.Fatalf("%s was held, the budget has %s spent", held, spent)
	}

	provider.say("/v1/responses/resp_1", `{"id":"resp_1","status":"in_progress","model":"house-model","usage":null}`)
	provider.say("/v1/responses/resp_2", strings.ReplaceAll(completed, "resp_1", "resp_2"))
	do(t, client, "GET", url+"/resp_1", "")
	do(t, client, "GET", url+"/resp_2", "") // which this meter did not send
	if total := meter.Ledger().Total(); total.Cost.Cmp(held) != 0 || total.Attempts != 1 {
		t.Fatalf("a look too early, or at another answer, changed the ledger: %+v", total)
	}

	provider.say("/v1/responses/resp_1", completed)
	var looks sync.WaitGroup
	for range 50 {
		looks.Add(1)
		go func() {
			defer looks.Done()
			if got := do(t, client, "GET", url+"/resp_1", ""); got != completed {
				t.Errorf("the answer was changed: %s", got)
			}
		}()
	}
	looks.Wait()
	want := farebox.MustMoney("0.0014") // 1,000 at $1 and 100 at $4 per million
	if total := meter.Ledger().Total(); total.Cost.Cmp(want) != 0 || total.Attempts != 1 {
		t.Errorf("the ledger has %+v, want %s", total, want)
	}
	if spent := meter.Guard().Snapshot()[0].Spent; spent.Cmp(want) != 0 {
		t.Errorf("the budget has %s spent, want %s", spent, want)
	}
}

// TestBatch: a batch is held at the most of all its requests, and settled by its results.
func TestBatch(t *testing.T) {
	t.Parallel()
	provider := &later{kind: "application/x-jsonl"}
	budget := farebox.Budget{Name: "all", Cap: farebox.Dollars(1)}
	meter, err := farebox.NewMeter(farebox.WithBaseTransport(provider), farebox.WithModels(house), farebox.WithBudget(budget))
	if err != nil {
		t.Fatal(err)
	}
	client := meter.HTTPClient()
	const url = "https://api.anthropic.com/v1/messages/batches"
	one := `{"custom_id":"a","params":{"model":"house-model","max_tokens":100,"messages":[{"role":"user","content":"Hi"}]}}`
	do(t, client, "POST", url, fmt.Sprintf(`{"requests":[%s,%s]}`, one, one))
	receipts := slices.Collect(meter.Ledger().Receipts(farebox.Filter{}))
	if len(receipts) != 1 || receipts[0].Source != farebox.Held || receipts[0].Operation != "batch" {
		t.Fatalf("receipts %+v", receipts)
	}
	if least := farebox.MustMoney("0.0008"); receipts[0].Quote.Most.Less(least) { // twice 100 tokens at $4 per million
		t.Errorf("held %s, want at least %s", receipts[0].Quote.Most, least)
	}
	line := `{"custom_id":"a","result":{"type":"succeeded","message":{"id":"msg_1","model":"house-model","content":[{"type":"text","text":"Hello"}],` +
		`"usage":{"input_tokens":10,"output_tokens":5,"service_tier":"batch"}}}}` + "\n"
	failed := `{"custom_id":"b","result":{"type":"errored","error":{"type":"error","error":{"type":"invalid_request_error","message":"no"}}}}` + "\n"
	provider.say("/v1/messages/batches/msgbatch_1", `{"id":"msgbatch_1","processing_status":"ended"}`)
	provider.say("/v1/messages/batches/msgbatch_1/results", line+failed+line)
	do(t, client, "GET", url+"/msgbatch_1", "")
	early, err := client.Get(url + "/msgbatch_1/results")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(early.Body, make([]byte, len(line))); err != nil { // one line of three
		t.Fatal(err)
	}
	_ = early.Body.Close()
	if total := meter.Ledger().Total(); total.Cost.Cmp(receipts[0].Cost) != 0 {
		t.Errorf("results that were not read to their end settled the batch: %+v", total)
	}
	do(t, client, "GET", url+"/msgbatch_1/results", "")
	do(t, client, "GET", url+"/msgbatch_1/results", "")
	want := farebox.MustMoney("0.00006") // 20 at $1 and 10 at $4 per million: the house has no other price for batches
	if total := meter.Ledger().Total(); total.Cost.Cmp(want) != 0 || total.Attempts != 1 {
		t.Errorf("the ledger has %+v, want %s", total, want)
	}
}

// TestBatchOfAFile: what a job of OpenAI's will cost is in a file that was sent before, so it is refused where a budget
// applies, and unpriced elsewhere until the job says what it consumed.
func TestBatchOfAFile(t *testing.T) {
	t.Parallel()
	const url, job = "https://api.openai.com/v1/batches", `{"input_file_id":"file-1","endpoint":"/v1/responses","completion_window":"24h"}`
	provider := &later{}
	guarded, err := farebox.NewMeter(farebox.WithBaseTransport(provider), farebox.WithBudget(farebox.Budget{Name: "all", Cap: farebox.Dollars(1)}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = guarded.HTTPClient().Post(url, "application/json", strings.NewReader(job))
	var refused *farebox.BudgetError
	if !errors.As(err, &refused) || refused.Reason != farebox.ReasonUnpriceable {
		t.Errorf("%v", err)
	}

	meter, err := farebox.NewMeter(farebox.WithBaseTransport(provider), farebox.WithModels(house))
	if err != nil {
		t.Fatal(err)
	}
	client := meter.HTTPClient()
	do(t, client, "POST", url, job)
	if total := meter.Ledger().Total(); total.Unpriced != 1 {
		t.Errorf("%+v", total)
	}
	provider.say("/v1/batches/batch_1", `{"id":"batch_1","status":"completed","model":"house-model","usage":{"input_tokens":1000,"output_tokens":100,"total_tokens":1100}}`)
	do(t, client, "GET", url+"/batch_1", "")
	do(t, client, "GET", url+"/batch_1", "")
	want := farebox.MustMoney("0.0014")
	if total := meter.Ledger().Total(); total.Cost.Cmp(want) != 0 {
		t.Errorf("the ledger has %+v, want %s", total, want)
	}
	for _, a := range meter.Ledger().Adjustments() {
		if a.Usage == nil || a.Usage.Input != 1000 || a.Amount.Cmp(want) != 0 {
			t.Errorf("%+v", a)
		}
	}
}
