package batch_test

import (
	"testing"

	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/batch"
	"github.com/farebox-go/farebox/internal/wire/wiretest"
)

func TestRecognise(t *testing.T) {
	t.Parallel()
	later := &wire.Route{Operation: wire.Batch, Billing: wire.FollowUp, ID: "batch_1"}
	for _, c := range []struct {
		method, path string
		want         *wire.Route // nil: not recognised
	}{
		{"POST", "/v1/batches", &wire.Route{Operation: wire.Batch}},
		{"GET", "/v1/batches", &wire.Route{Operation: wire.Batch, Billing: wire.Free}},
		{"GET", "/openai/v1/batches/batch_1", later},
		{"POST", "/v1/batches/batch_1/cancel", later},
		{"POST", "/v1/messages/batches", nil},
		{"GET", "/v1/messages/batches/msgbatch_1", nil},
		{"POST", "", nil},
	} {
		got, ok := batch.Format{}.Recognise(wire.Target{Method: c.method, Path: c.path})
		if ok != (c.want != nil) || ok && got != *c.want {
			t.Errorf("%s %s: %+v, %v", c.method, c.path, got, ok)
		}
	}
}

const ended = `{"id":"batch_1","object":"batch","status":"completed","model":"gpt-x","request_counts":{"total":3},
	"usage":{"input_tokens":100,"input_tokens_details":{"cached_tokens":60},"output_tokens":50,"output_tokens_details":{"reasoning_tokens":20},"total_tokens":150}}`

func TestAnswers(t *testing.T) {
	t.Parallel()
	of := &wire.Request{Operation: wire.Batch}
	a := wiretest.ReadBody(batch.Format{}, of, []byte(ended), wiretest.Whole)
	if u := a.Usage; a.Pending || !a.Done || a.Model != "gpt-x" || a.ServiceTier != "batch" || u.Input != 40 || u.CacheRead != 60 || u.Output != 30 || u.Reasoning != 20 {
		t.Errorf("%+v", a)
	}
	for _, status := range []string{"validating", "in_progress", "finalizing", "cancelling"} {
		a := wiretest.ReadBody(batch.Format{}, of, []byte(`{"id":"batch_1","status":"`+status+`","usage":{"input_tokens":1,"output_tokens":1}}`), wiretest.Whole)
		if !a.Pending || a.UsageSeen || a.ID != "batch_1" {
			t.Errorf("%s: %+v", status, a)
		}
	}
	q, err := batch.Format{}.ReadRequest(wire.Batch, wire.Target{}, []byte(`{"input_file_id":"file-1","endpoint":"/v1/responses","completion_window":"24h"}`))
	if err != nil || !q.HiddenInput || q.Model != "" {
		t.Errorf("%+v, %v", q, err)
	}
}

func FuzzBody(f *testing.F) {
	wiretest.FuzzBodies(f, batch.Format{}, &wire.Request{Operation: wire.Batch}, ended)
}
