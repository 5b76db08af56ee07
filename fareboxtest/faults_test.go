package fareboxtest_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farebox-go/farebox/fareboxtest"
)

// answered is what TestFaults looks at in an answer.
type answered struct {
	status int
	head   http.Header
	body   string
	err    error // of reading the body
}

// has, truncated and complete are what many answers are expected to be.
func has(text string) func(answered) bool {
	return func(a answered) bool { return strings.Contains(a.body, text) }
}

func truncated(a answered) bool { return errors.Is(a.err, io.ErrUnexpectedEOF) }

func complete(a answered) bool { return a.err == nil && strings.HasSuffix(a.body, "data: [DONE]\n\n") }

// What an answer of "Good day" to hello costs, if it is billed.
const free, whole = "0", "0.00000165"

var faultCases = []struct {
	name   string
	fault  fareboxtest.Fault
	stream bool
	status int // 0: no answer at all
	billed string
	want   func(answered) bool
}{
	{"none", fareboxtest.Fault{}, true, 200, whole, complete},
	{"rate limit", fareboxtest.RateLimit(1500 * time.Millisecond), false, 429, free, func(a answered) bool {
		return a.head.Get("Retry-After") == "2" && strings.Contains(a.body, "rate_limit_exceeded")
	}},
	{"rate limit until a date", fareboxtest.Fault{Status: 429, RetryAfter: "Fri, 31 Dec 1999 23:59:59 GMT"}, false, 429, free, func(a answered) bool {
		until, err := http.ParseTime(a.head.Get("Retry-After"))
		return err == nil && until.Year() == 1999
	}},
	{"out of credits", fareboxtest.OutOfCredits(), true, 402, free, has("insufficient_quota")},
	{"overloaded", fareboxtest.Overloaded(), false, 529, free, has("overloaded_error")},
	{"server error", fareboxtest.ServerError(), false, 500, free, has("server_error")},
	{"another status", fareboxtest.Fault{Status: 418}, false, 418, free, has("teapot")},
	{"own words", fareboxtest.Fault{Status: 400, Code: "content_filter", Message: "No."}, false, 400, free, has(`{"message":"No.","type":"invalid_request_error","param":null,"code":"content_filter"}`)},
	{"page of a proxy", fareboxtest.HTMLPage(), false, 502, free, func(a answered) bool {
		return a.head.Get("Content-Type") == "text/html" && strings.HasPrefix(a.body, "<html>")
	}},
	{"billed all the same", fareboxtest.Fault{Status: 500, Bill: true}, false, 500, whole, has("server_error")},
	{"error inside", fareboxtest.Fault{Status: 503, InsideOK: true}, false, 200, free, has(`"error"`)},
	{"error of a stream that is none", fareboxtest.Fault{Status: 503, ErrorAfter: 1}, false, 503, free, has(`"error"`)},
	{"header", fareboxtest.Fault{Header: http.Header{"x-should-retry": {"false"}}}, false, 200, whole, func(a answered) bool {
		return a.head.Get("X-Should-Retry") == "false"
	}},
	{"cut before the head", fareboxtest.Fault{Cut: fareboxtest.BeforeHead()}, false, 0, whole, nil},
	{"cut after the head", fareboxtest.Fault{Cut: fareboxtest.AfterHead()}, false, 200, whole, truncated},
	{"cut in the body", fareboxtest.Fault{Cut: fareboxtest.InChunk(0)}, false, 200, whole, func(a answered) bool {
		return truncated(a) && strings.HasPrefix(a.body, `{"id"`) && !strings.HasSuffix(a.body, "}")
	}},
	{"cut before the first chunk", fareboxtest.Fault{Cut: fareboxtest.AfterChunks(0)}, true, 200, whole, func(a answered) bool {
		return truncated(a) && a.body == ""
	}},
	{"cut between chunks", fareboxtest.Fault{Cut: fareboxtest.AfterChunks(2)}, true, 200, whole, func(a answered) bool {
		return truncated(a) && strings.Count(a.body, "data: ") == 2 && strings.HasSuffix(a.body, "\n\n")
	}},
	{"cut in a chunk", fareboxtest.Fault{Cut: fareboxtest.InChunk(2)}, true, 200, whole, func(a answered) bool {
		return truncated(a) && strings.Count(a.body, "data: ") == 3 && !strings.HasSuffix(a.body, "\n")
	}},
	{"cut before the terminator", fareboxtest.Fault{Cut: fareboxtest.AfterChunks(99)}, true, 200, whole, func(a answered) bool {
		return truncated(a) && strings.Count(a.body, "data: ") == 4 && !strings.Contains(a.body, "[DONE]")
	}},
	{"no terminator", fareboxtest.Fault{NoDone: true}, true, 200, whole, func(a answered) bool {
		return a.err == nil && !strings.Contains(a.body, "[DONE]") && strings.HasSuffix(a.body, "\n\n")
	}},
	{"no newline at the end", fareboxtest.Fault{NoFinalNewline: true}, true, 200, whole, func(a answered) bool {
		return a.err == nil && strings.HasSuffix(a.body, "\n\ndata: [DONE]")
	}},
	{"neither", fareboxtest.Fault{NoDone: true, NoFinalNewline: true}, true, 200, whole, func(a answered) bool {
		return a.err == nil && strings.HasSuffix(a.body, "}]}")
	}},
	{"CRLF", fareboxtest.Fault{CRLF: true, KeepAlives: 1}, true, 200, whole, func(a answered) bool {
		return strings.Count(a.body, "\n") == strings.Count(a.body, "\r\n") && strings.HasSuffix(a.body, "data: [DONE]\r\n\r\n")
	}},
	{"data over several lines", fareboxtest.Fault{SplitData: true}, true, 200, whole, func(a answered) bool {
		return complete(a) && strings.HasPrefix(a.body, "data: {\ndata:  \"id\":") && strings.Count(a.body, "\n\n") == 5
	}},
	{"comments", fareboxtest.Fault{KeepAlives: 3}, true, 200, whole, func(a answered) bool {
		return complete(a) && strings.Count(a.body, ": keep-alive\n\n") == 3*5
	}},
	{"malformed", fareboxtest.Fault{Malformed: true}, false, 200, whole, func(a answered) bool { return !json.Valid([]byte(a.body)) }},
	{"malformed chunk", fareboxtest.Fault{Malformed: true}, true, 200, whole, func(a answered) bool {
		return complete(a) && strings.Count(a.body, `"logprobs"`) == 3
	}},
	{"huge body", fareboxtest.Fault{Padding: 1 << 20}, false, 200, whole, func(a answered) bool {
		return len(a.body) > 1<<20 && json.Valid([]byte(a.body))
	}},
	{"huge chunk", fareboxtest.Fault{Padding: 1 << 20}, true, 200, whole, func(a answered) bool {
		return complete(a) && strings.Index(a.body, "\n\n") > 1<<20
	}},
	{"slow bytes", fareboxtest.Fault{OneByte: true}, true, 200, whole, complete},
	{"no usage", fareboxtest.Fault{NoUsage: true}, false, 200, whole, func(a answered) bool { return !strings.Contains(a.body, "usage") }},
	{"lying usage", fareboxtest.Fault{RewriteUsage: func(usage map[string]any) {
		usage["prompt_tokens"], usage["completion_tokens"] = -1, usage["total_tokens"]
	}}, false, 200, whole, func(a answered) bool {
		return strings.Contains(a.body, `"completion_tokens":5`) && strings.Contains(a.body, `"prompt_tokens":-1`)
	}},
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, c := range faultCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, saying("Good day"))
			p.Inject(c.fault)
			body := hello
			if c.stream {
				body = streaming("")
			}
			resp, got, err := post(t, p, "/chat/completions", body)
			fareboxtest.RequireCost(t, c.billed, p.Billed())
			if c.status == 0 {
				if resp != nil || err == nil {
					t.Fatalf("got an answer: %v", resp)
				}
				return
			}
			if resp == nil || resp.StatusCode != c.status || p.Requests()[0].Status != c.status {
				t.Fatalf("got %v, %v; recorded %+v", resp, err, p.Requests()[0])
			}
			if !c.want(answered{resp.StatusCode, resp.Header, got, err}) {
				t.Errorf("head %v, error %v, body\n%q", resp.Header, err, got)
			}
		})
	}
}

func TestFaultsChooseTheirCalls(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.Inject(
		fareboxtest.Fault{Status: 501, Model: "test-large"},
		fareboxtest.Fault{Status: 502, Times: 2, Match: func(r fareboxtest.Request) bool { return r.Path == "/v1/completions" }},
		fareboxtest.Fault{Status: 503, Times: -1, Match: func(r fareboxtest.Request) bool { return r.Stream }},
	)
	large := strings.Replace(hello, "small", "large", 1)
	for i, c := range []struct {
		path, body string
		want       int
	}{
		{"/chat/completions", hello, 200},
		{"/chat/completions", large, 501},
		{"/chat/completions", large, 200},
		{"/completions", hello, 502},
		{"/completions", streaming(""), 502},
		{"/completions", hello, 200},
		{"/chat/completions", streaming(""), 503},
		{"/chat/completions", streaming(""), 503},
	} {
		if resp, _, err := post(t, p, c.path, c.body); err != nil || resp.StatusCode != c.want {
			t.Fatalf("call %d: %v, %v, want %d", i, resp, err, c.want)
		}
	}
	p.ClearFaults()
	if resp, _, err := post(t, p, "/chat/completions", streaming("")); err != nil || resp.StatusCode != 200 {
		t.Errorf("after ClearFaults: %v, %v", resp, err)
	}
}

func TestDelays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(t, saying("Good day"))
		p.Inject(fareboxtest.Fault{DelayHead: time.Hour, DelayBody: time.Minute, DelayChunk: time.Second})
		start := time.Now()
		resp, err := p.HTTPClient().Post(p.URL()+"/chat/completions", "application/json", strings.NewReader(streaming("")))
		if err != nil || time.Since(start) != time.Hour {
			t.Fatalf("the head came after %v: %v", time.Since(start), err)
		}
		defer func() { _ = resp.Body.Close() }()
		if _, err := io.ReadAll(resp.Body); err != nil {
			t.Fatal(err)
		}
		if want := time.Hour + time.Minute + 3*time.Second; time.Since(start) != want {
			t.Errorf("the end came after %v, want %v", time.Since(start), want)
		}
	})
}
