package farebox

import (
	"net/http"

	"github.com/farebox-go/farebox/internal/wire"
)

// awaited names what a later look at an answer can settle: the answer's id at its endpoint.
type awaited struct{ endpoint, answer string }

// followUp sends a request that asks after an earlier one's answer. If that one is waiting for what it cost, the answer is read
// as it passes; all else passes as it is.
func (t *transport) followUp(req *http.Request, known *recognised) (*http.Response, error) {
	resp, err := t.base.RoundTrip(req)
	if err != nil || resp == nil || resp.Body == nil || !isSuccess(resp.StatusCode) {
		return resp, err
	}
	earlier := t.meter.unsettled.awaiting(awaited{known.ep.name, known.route.ID})
	if earlier == nil {
		return resp, nil
	}
	a := &attempt{
		meter: t.meter, ctx: req.Context(), ep: earlier.ep, format: known.format, quoted: earlier.quoted, earlier: earlier,
		request: wire.Request{
			Operation: known.route.Operation, Model: earlier.request.Model, ServiceTier: earlier.request.ServiceTier,
			Region: earlier.request.Region, Speed: earlier.request.Speed, Units: earlier.request.Units, Choices: 1,
		},
	}
	a.quoted.extent.counted = inputCount{}
	a.receipt = Receipt{
		ID: earlier.receipt.ID, Start: earlier.receipt.Start, Operation: earlier.receipt.Operation, Status: resp.StatusCode,
	}
	resp.Body = newMeteredBody(a, resp)
	return resp, nil
}

// settleEarlier books what an earlier attempt cost, once a later look at its answer says so. A look that comes too early, or
// that was not read to its end, changes nothing.
func (a *attempt) settleEarlier(answer *wire.Answer, head http.Header, whole bool) {
	a.format.ReadHeaders(&a.request, head, answer)
	if !answer.Done && !whole || answer.Pending || !answer.UsageSeen && answer.Reported.Literal == "" {
		return
	}
	a.readAnswer(answer)
	if !a.settleReported(answer) {
		a.settleComputed(nil)
	}
	r := &a.receipt
	if r.Source == Unpriced || r.HasFlag(FlagIncompletePrice) {
		return // what it cost is still not known
	}
	if !a.meter.unsettled.take(awaited{a.earlier.ep.name, a.earlier.receipt.GenerationID}) {
		return // another look was faster
	}
	_, _ = a.meter.reconcile(r.ID, r.Cost, "a later look at the answer, "+string(r.Source), &r.Usage)
}
