// Package wiretest plays recorded traffic to the wire formats, for their tests.
package wiretest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/farebox-go/farebox/internal/wire"
)

// Exchange is one recorded exchange with a real provider, with what the index of the recordings says about it.
type Exchange struct {
	File      string          `json:"file"`
	Number    int             `json:"exchange"`
	Provider  string          `json:"provider"`
	API       string          `json:"api"`
	Stream    bool            `json:"stream"`
	Requested *string         `json:"model_requested"`
	Returned  *string         `json:"model_returned"`
	Usage     json.RawMessage `json:"usage"`
	Cost      *struct {
		USD string `json:"usd"`
	} `json:"reported_cost"`
	Status int      `json:"status"`
	Flags  []string `json:"flags"`

	Request struct {
		Method, URL string
		Headers     map[string]string
		Body        json.RawMessage
	} `json:"-"`
	Response struct {
		Headers     map[string]any
		Body        json.RawMessage
		SSE         string
		NDJSON      string
		Text        string
		EventStream []byte `json:"eventstream_base64"`
	} `json:"-"`
}

// Name says where the exchange is.
func (x *Exchange) Name() string { return x.File + "#" + strconv.Itoa(x.Number) }

// Target is where its request went.
func (x *Exchange) Target(t testing.TB) wire.Target {
	t.Helper()
	u, err := url.Parse(x.Request.URL)
	if err != nil {
		t.Fatal(err)
	}
	return wire.Target{
		Method: x.Request.Method, Host: u.Host, Path: u.Path, Query: u.RawQuery,
		ContentType: x.Request.Headers["content-type"], Provider: x.Provider,
	}
}

// Head is the head of its answer.
func (x *Exchange) Head() http.Header {
	head := http.Header{}
	for name, value := range x.Response.Headers {
		if text, ok := value.(string); ok {
			head.Set(name, text)
		}
	}
	return head
}

// Body is its answer's body as it went over the wire, as nearly as the recording has it.
func (x *Exchange) Body() []byte {
	switch {
	case x.Response.SSE != "":
		return []byte(x.Response.SSE)
	case x.Response.NDJSON != "":
		return []byte(x.Response.NDJSON)
	case x.Response.EventStream != nil:
		return x.Response.EventStream
	case x.Response.Body != nil:
		return x.Response.Body
	}
	return []byte(x.Response.Text)
}

// Asked is the body of its request; nil where none was recorded, or one that is not JSON. A body that was sent without a
// content type was recorded as a text.
func (x *Exchange) Asked() []byte {
	var text string
	if json.Unmarshal(x.Request.Body, &text) == nil && text != "" {
		if !json.Valid([]byte(text)) {
			return nil // the recording cut it
		}
		return []byte(text)
	}
	if string(x.Request.Body) == "null" || bytes.Contains(x.Request.Body, []byte(`"_multipart"`)) {
		return nil
	}
	return x.Request.Body
}

// Recorded reads the recorded exchanges of some APIs. It skips the test where there are no recordings.
func Recorded(t testing.TB, apis ...string) (all []*Exchange) {
	t.Helper()
	folder := os.Getenv("FAREBOX_RECORDINGS")
	if folder == "" {
		t.Skip("FAREBOX_RECORDINGS does not name the folder of recordings")
	}
	index, err := os.ReadFile(filepath.Join(folder, "INDEX.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(index))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		x := &Exchange{}
		if err := json.Unmarshal(lines.Bytes(), x); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(apis, x.API) {
			x.load(t, folder)
			all = append(all, x)
		}
	}
	if lines.Err() != nil || len(all) == 0 {
		t.Fatalf("no recorded exchange of %v: %v", apis, lines.Err())
	}
	return all
}

func (x *Exchange) load(t testing.TB, folder string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, x.File))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Exchanges []struct{ Request, Response json.RawMessage }
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	one := file.Exchanges[x.Number]
	if err := json.Unmarshal(one.Request, &x.Request); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(one.Response, &x.Response); err != nil {
		t.Fatal(err)
	}
}
