package farebox_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/farebox-go/farebox"
)

// FuzzAnswer sends any bytes as an answer. Through the transport they come out as they went in, wherever they are cut;
// the Client returns an error or an answer; and every attempt has one receipt and leaves no hold behind.
func FuzzAnswer(f *testing.F) {
	kinds := []string{"application/json", "text/event-stream", "text/html", ""}
	for i, body := range []string{chatAnswer, wholeStream, openRouterAnswer, helloChunk + openRouterFailure, "<title>x</title>", "", "\ufeff{", `{"error":`, `[{"error":{}}]`} {
		f.Add([]byte(body), uint8(i), uint16(200), uint8(3))
		f.Add([]byte(body), uint8(i+1), uint16(429+i), uint8(200))
	}
	f.Fuzz(func(t *testing.T, body []byte, kind uint8, status uint16, size uint8) {
		base := roundTripper(func(*http.Request) (*http.Response, error) {
			resp := reply(200+int(status)%400, "", "Content-Type", kinds[int(kind)%len(kinds)])
			resp.Body = io.NopCloser(&pieces{text: string(body), size: 1 + int(size)})
			return resp, nil
		})
		budget := farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(1)})
		client := newClient(t, farebox.OpenRouter(testKey), farebox.WithBaseTransport(base), budget, noRetry)
		resp := mustPost(t, client.Meter().HTTPClient(), "https://openrouter.ai/api", streamJSON)
		if got := readOdd(t, resp.Body, 1+int(size)%11); got != string(body) {
			t.Errorf("got %q, want %q", got, body)
		}
		answer, err := client.CreateChatCompletion(context.Background(), chatRequest())
		if err != nil && len(farebox.ReceiptsOf(err)) != 1 || err == nil && len(answer.Receipts) != 1 {
			t.Errorf("receipts %v of the error, %v of the answer; want one", farebox.ReceiptsOf(err), answer.Receipts)
		}
		if stream, err := client.CreateChatCompletionStream(context.Background(), chatRequest()); err == nil {
			if _, err := text(stream); !errors.Is(err, io.EOF) && len(farebox.ReceiptsOf(err)) != 1 {
				t.Errorf("the stream ended with %v and receipts %v", err, farebox.ReceiptsOf(err))
			}
		}
		if n := len(ledger(client.Meter())); n != 3 {
			t.Errorf("%d receipts of 3 attempts", n)
		}
	})
}
