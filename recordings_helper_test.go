package farebox_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/farebox-go/farebox"
)

// exchange is one exchange with a provider, recorded or written by hand, and what is known of it.
type exchange struct {
	name     string
	provider string
	api      string
	// contentType is that of a request whose body was put together anew; empty: as recorded.
	contentType string
	padded      bool // the answer came after white space that the recording leaves out

	Request struct {
		Method  string            `json:"method"`
		URL     string            `json:"url"`
		Headers map[string]string `json:"headers"`
		Body    json.RawMessage   `json:"body"`
	} `json:"request"`
	Response struct {
		Status  int               `json:"status"`
		Headers map[string]string `json:"headers"`
		Body    json.RawMessage   `json:"body"`
		SSE     *string           `json:"sse"`
		NDJSON  *string           `json:"ndjson"`
		Binary  []byte            `json:"eventstream_base64"`
		Text    string            `json:"text"`
	} `json:"response"`

	// usage is what the provider reported, as it wrote it; nil: nothing. cost is what it says the call cost.
	usage json.RawMessage
	cost  *farebox.Money
	// Name and Expect are stated of exchanges that were written by hand.
	Name   string       `json:"name"`
	Expect *expectation `json:"expect"`
}

// body is the answer's body as it went over the wire, as nearly as the recording has it.
func (x *exchange) body() []byte {
	switch {
	case x.Response.SSE != nil:
		return []byte(*x.Response.SSE)
	case x.Response.NDJSON != nil:
		return []byte(*x.Response.NDJSON)
	case x.Response.Binary != nil:
		return x.Response.Binary
	case x.Response.Body == nil:
		return []byte(x.Response.Text)
	case x.padded:
		return append([]byte("\n         \n"), x.Response.Body...)
	}
	return x.Response.Body
}

// streams says whether the exchange is about a stream: a few requests ask for one in a way that was not recorded.
func (x *exchange) streams() bool {
	var asked struct {
		Stream bool `json:"stream"`
	}
	_ = json.Unmarshal(x.Request.Body, &asked)
	return asked.Stream || x.Response.SSE != nil || x.Response.NDJSON != nil || x.Response.Binary != nil
}

// exchangeFile is a file of exchanges.
type exchangeFile struct {
	Provider  string      `json:"provider"`
	API       string      `json:"api"`
	Exchanges []*exchange `json:"exchanges"`
}

// readExchanges reads a file of exchanges, JSON bodies without the blanks that make the file readable.
func readExchanges(t *testing.T, path, name string) []*exchange {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file exchangeFile
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for i, x := range file.Exchanges {
		x.provider, x.api = file.Provider, file.API
		x.name = name + "#" + cmp.Or(x.Name, strconv.Itoa(i))
		x.Request.Body, x.contentType = wireBody(t, compact(t, x.Request.Body))
		x.Response.Body = compact(t, x.Response.Body)
	}
	return file.Exchanges
}

func compact(t *testing.T, text json.RawMessage) json.RawMessage {
	t.Helper()
	if len(text) == 0 || string(text) == "null" {
		return nil
	}
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// recordedExchanges reads the recordings, with what their index says about usage and cost.
func recordedExchanges(t *testing.T) []*exchange {
	t.Helper()
	folder := os.Getenv("FAREBOX_RECORDINGS")
	if folder == "" {
		t.Skip("FAREBOX_RECORDINGS does not name the folder of recordings")
	}
	index, err := os.ReadFile(filepath.Join(folder, "INDEX.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var all []*exchange
	files := map[string][]*exchange{}
	for lines := json.NewDecoder(bytes.NewReader(index)); ; {
		var row struct {
			File     string                       `json:"file"`
			Exchange int                          `json:"exchange"`
			API      string                       `json:"api"`
			Usage    json.RawMessage              `json:"usage"`
			Cost     *struct{ USD farebox.Money } `json:"reported_cost"`
			Flags    []string                     `json:"flags"`
		}
		if err := lines.Decode(&row); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		if files[row.File] == nil {
			files[row.File] = readExchanges(t, filepath.Join(folder, row.File), row.File)
		}
		x := files[row.File][row.Exchange]
		x.usage = compact(t, row.Usage)
		if row.Cost != nil {
			x.cost = &row.Cost.USD
		}
		x.padded = strings.Contains(strings.Join(row.Flags, " "), "json_leading_whitespace")
		all = append(all, x)
	}
}

// replayServer plays exchanges over real sockets. Requests reach it through its transport whatever host they are for,
// so that everything that is decided by the host is decided as it would be at the provider.
type replayServer struct {
	server    *httptest.Server
	transport *http.Transport

	mu    sync.Mutex
	plays map[string]*play
}

// play is one run of an exchange.
type play struct {
	id       string
	exchange *exchange
	pieces   *rand.Rand

	mu       sync.Mutex
	requests [][]byte // the bodies of the requests that came
	path     string
	query    string
}

const playHeader = "X-Replay"

type playKey struct{}

func newReplayServer(t *testing.T) *replayServer {
	t.Helper()
	s := &replayServer{plays: map[string]*play{}}
	s.server = httptest.NewServer(s)
	s.transport = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", s.server.Listener.Addr().String())
		},
		MaxIdleConnsPerHost: 4,
	}
	t.Cleanup(func() {
		s.transport.CloseIdleConnections()
		s.server.Close()
	})
	return s
}

// start makes an exchange ready to be played to a request whose context is the one returned.
func (s *replayServer) start(ctx context.Context, x *exchange) (context.Context, *play) {
	hash := fnv.New64a()
	_, _ = io.WriteString(hash, x.name)
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &play{id: strconv.Itoa(len(s.plays)), exchange: x, pieces: rand.New(rand.NewPCG(hash.Sum64(), 1))}
	s.plays[p.id] = p
	return context.WithValue(ctx, playKey{}, p), p
}

// RoundTrip sends a request to the server instead of where it is addressed to.
func (s *replayServer) RoundTrip(req *http.Request) (*http.Response, error) {
	p, ok := req.Context().Value(playKey{}).(*play)
	if !ok {
		return nil, errors.New("a request that belongs to no exchange")
	}
	here := req.Clone(req.Context())
	here.URL.Scheme = "http"
	here.Header.Set(playHeader, p.id)
	return s.transport.RoundTrip(here)
}

// ServeHTTP plays the exchange that a request belongs to.
func (s *replayServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	p := s.plays[r.Header.Get(playHeader)]
	s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if p == nil || err != nil {
		http.Error(w, "no such exchange", http.StatusTeapot)
		return
	}
	p.mu.Lock()
	p.requests = append(p.requests, body)
	p.path, p.query = r.URL.Path, r.URL.RawQuery
	p.mu.Unlock()
	p.answer(w)
}

// framing are headers that describe how a recorded answer was carried, not what it was.
var framing = map[string]bool{
	"Content-Length": true, "Content-Encoding": true, "Transfer-Encoding": true, "Connection": true, "Trailer": true,
	"Keep-Alive": true, "Upgrade": true,
}

func (p *play) answer(w http.ResponseWriter) {
	x := p.exchange
	w.Header()["Content-Type"] = nil // where none was recorded none is made up
	for name, value := range x.Response.Headers {
		if !framing[http.CanonicalHeaderKey(name)] {
			w.Header().Set(name, value)
		}
	}
	w.WriteHeader(x.Response.Status)
	flusher := http.NewResponseController(w)
	for rest := x.body(); len(rest) > 0; {
		n := min(p.next(), len(rest))
		_, _ = w.Write(rest[:n])
		_ = flusher.Flush()
		rest = rest[n:]
	}
}

// next is the size of the next piece: small and irregular, now and then large so that long answers end.
func (p *play) next() int {
	switch p.pieces.IntN(3) {
	case 0:
		return 1 + p.pieces.IntN(5)
	case 1:
		return 1 + p.pieces.IntN(100)
	default:
		return 1 + p.pieces.IntN(2000)
	}
}

// received is the body of the one request that came.
func (p *play) received(t *testing.T) []byte {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.requests) != 1 {
		t.Fatalf("%d requests reached the server, want 1", len(p.requests))
	}
	return p.requests[0]
}
