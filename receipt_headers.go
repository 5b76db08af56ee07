package farebox

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"github.com/farebox-go/farebox/internal/framing"
)

// The headers that [WithReceiptHeaders] and [ContextWithReceiptHeaders] add to answers.
const (
	// HeaderCost is what the attempt cost, in US dollars: "0.00012". It is absent where the cost is not known, which is
	// not the same as 0.
	HeaderCost = "Farebox-Cost"
	// HeaderReceipt is the ID of the attempt's [Receipt], in the ledger and in every sink.
	HeaderReceipt = "Farebox-Receipt"
)

// maxReadAhead is the longest answer that is read before its head is handed up.
const maxReadAhead = 4 << 20

// WithReceiptHeaders adds [HeaderCost] and [HeaderReceipt] to every answer that is no stream: for SDKs and proxies that
// show a caller the headers and nothing else. What an answer cost is known at its end, so that its body is read, up to
// 4 MiB of it, before the caller has the head; of a longer one, or one that breaks off, the head has neither header.
// Bodies reach the caller unchanged. See [ContextWithReceiptHeaders] for single calls.
func WithReceiptHeaders() MeterOption {
	return meterOption(func(c *meterConfig) error {
		c.receiptHeaders = true
		return nil
	})
}

// ContextWithReceiptHeaders returns a context whose calls get the headers that [WithReceiptHeaders] speaks of.
func ContextWithReceiptHeaders(ctx context.Context) context.Context {
	return context.WithValue(ctx, receiptHeadersKey, true)
}

// wantsHeaders says whether an answer's head is to tell what it cost.
func (a *attempt) wantsHeaders(resp *http.Response) bool {
	asked, _ := a.ctx.Value(receiptHeadersKey).(bool)
	return (asked || a.meter.receiptHeaders) && !a.request.Stream && framing.OfContentType(resp.Header.Get("Content-Type")) == framing.None
}

// putReceipt reads an answer ahead, and puts what it cost into its head. A provider's own headers of those names, which
// would be taken for farebox's, are dropped.
func (a *attempt) putReceipt(resp *http.Response) {
	resp.Header.Del(HeaderCost)
	resp.Header.Del(HeaderReceipt)
	body := resp.Body
	var begun bytes.Buffer
	_, err := begun.ReadFrom(io.LimitReader(body, maxReadAhead))
	if err == nil && begun.Len() < maxReadAhead { // to its end: that made the receipt
		resp.Header.Set(HeaderReceipt, a.receipt.ID)
		if a.receipt.Source != Unpriced {
			cost, _ := a.receipt.Cost.MarshalText()
			resp.Header.Set(HeaderCost, string(cost))
		}
	}
	rest := io.Reader(body)
	if err != nil {
		rest = failedReader{err}
	}
	resp.Body = &readAheadBody{Reader: io.MultiReader(&begun, rest), Closer: body}
}

// readAheadBody is an answer's body that has been read in part.
type readAheadBody struct {
	io.Reader
	io.Closer
}

// failedReader is where a body broke off.
type failedReader struct{ err error }

func (r failedReader) Read([]byte) (int, error) { return 0, r.err }
