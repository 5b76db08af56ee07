package farebox_test

import (
	"strings"
	"testing"

	"github.com/farebox-go/farebox"
)

// TestUsageBehindALargeEvent: an event that is too large to be read, such as an image, passes whole, and the usage in a later
// event still counts.
func TestUsageBehindALargeEvent(t *testing.T) {
	t.Parallel()
	large := `data: {"id":"1","object":"chat.completion.chunk","model":"` + testModel + `","choices":[{"index":0,"delta":{"images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,` +
		strings.Repeat("iVBORw0K", 9<<17) + `"}}]}}]}` + "\n\n"
	last := `data: {"id":"1","object":"chat.completion.chunk","model":"` + testModel + `","choices":[],"usage":` + usageJSON + "}\n\ndata: [DONE]\n\n"
	p := serve(t, streams(large, last))
	meter := newMeter(t)
	request := strings.Replace(chatJSON, "{", `{"stream":true,"stream_options":{"include_usage":true},`, 1)
	if body := readAll(t, mustPost(t, meter.HTTPClient(), p.URL, request)); body != large+last {
		t.Errorf("%d bytes passed, want %d", len(body), len(large+last))
	}
	if r := onlyReceipt(t, meter); r.Cost != chatCost || r.Source != farebox.Computed {
		t.Errorf("receipt %s, want $%s; %+v", r, chatCost, r)
	}
}
