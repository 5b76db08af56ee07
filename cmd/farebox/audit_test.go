package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/farebox-go/farebox"
)

// An answer of gpt-4o-mini, 1000 tokens in at $0.15 and 200 out at $0.60 for a million.
const (
	auditedRequest = `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello"}]}`
	auditedAnswer  = `{"id":"chatcmpl-1","object":"chat.completion","model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},` +
		`"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":200,"total_tokens":1200}}`
	auditedCost = "0.00027"
	auditedURL  = "https://api.openai.com/v1/chat/completions"
)

func quoted(text string) string {
	data, _ := json.Marshal(text)
	return string(data)
}

// harEntry is an entry of a HAR file. The answer is recorded as it is, or in base64.
func harEntry(url, request, answer string, encoded bool) string {
	content := `{"size":1,"mimeType":"application/json","text":` + quoted(answer) + `}`
	if encoded {
		content = `{"size":1,"mimeType":"application/json","encoding":"base64","text":"` + base64.StdEncoding.EncodeToString([]byte(answer)) + `"}`
	}
	return `{"startedDateTime":"2026-03-01T10:00:00.000Z","time":1500.5,"request":{"method":"POST","url":` + quoted(url) + `,"httpVersion":"HTTP/2",` +
		`"headers":[{"name":":authority","value":"x"},{"name":"authorization","value":"Bearer sk-one"},{"name":"content-length","value":"7"}],` +
		`"postData":{"mimeType":"application/json","text":` + quoted(request) + `}},"response":{"status":200,"headers":[` +
		`{"name":"content-encoding","value":"br"},{"name":"content-type","value":"application/json"}],"content":` + content + `},"timings":{}}`
}

func recordedExchange(url, answer string) string {
	return `{"request":{"method":"POST","url":` + quoted(url) + `,"headers":{"Authorization":"Bearer sk-two"},"body":` + auditedRequest + `},` +
		`"response":{"status":200,"headers":{"content-type":"application/json","date":"Mon, 02 Mar 2026 10:00:00 GMT"},"body":` + answer + `}}`
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func receiptsOf(t *testing.T, text string) []farebox.Receipt {
	t.Helper()
	var all []farebox.Receipt
	for lines := json.NewDecoder(strings.NewReader(text)); ; {
		var r farebox.Receipt
		err := lines.Decode(&r)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		all = append(all, r)
	}
}

// TestAuditReadsEveryForm: the same exchange, whatever file it stands in.
func TestAuditReadsEveryForm(t *testing.T) {
	t.Parallel()
	one := recordedExchange(auditedURL, auditedAnswer)
	for name, tt := range map[string]struct {
		text string
		want int
	}{
		"HAR":                 {`{"log":{"version":"1.2","creator":{"name":"x","version":"1"},"pages":[{"id":"p"}],"entries":[` + harEntry(auditedURL, auditedRequest, auditedAnswer, false) + `]}}`, 1},
		"HAR in base64":       {`{"log":{"entries":[` + harEntry(auditedURL, auditedRequest, auditedAnswer, true) + `]}}`, 1},
		"recordings":          {`{"source":{"repo":"x","request":{}},"provider":"openai","exchanges":[` + one + `,` + one + `]}`, 2},
		"JSON Lines":          {one + "\n" + one + "\n\n" + one + "\n", 3},
		"lines of recordings": {`{"exchanges":[` + one + `]}` + "\n" + `{"exchanges":[` + one + `]}`, 2},
		"an array":            {`[` + one + `,` + one + `]`, 2},
		"one exchange":        {one, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, code := invoke(t, "audit", "--json", writeFile(t, "traffic", tt.text))
			receipts := receiptsOf(t, stdout)
			if code != 0 || len(receipts) != tt.want {
				t.Fatalf("exit %d, %d receipts, want %d: %s", code, len(receipts), tt.want, stderr)
			}
			for _, r := range receipts {
				if r.Cost != farebox.MustMoney(auditedCost) || r.Source != farebox.Computed || r.Start.Year() != 2026 || r.Start.Month() != 3 || r.KeyHash == "" {
					t.Errorf("receipt %+v", r)
				}
			}
			if r := receipts[0]; strings.HasPrefix(name, "HAR") && r.Duration.Milliseconds() != 1500 {
				t.Errorf("duration %s, want that of the recording", r.Duration)
			}
		})
	}
}

// TestAuditTotals: by model, key and day; what is free and what cannot be metered beside them.
func TestAuditTotals(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "traffic.har", `{"log":{"entries":[`+strings.Join([]string{
		harEntry(auditedURL, auditedRequest, auditedAnswer, false),
		harEntry(auditedURL, strings.ReplaceAll(auditedRequest, "gpt-4o-mini", "nobody-knows-it"), strings.ReplaceAll(auditedAnswer, "gpt-4o-mini", "nobody-knows-it"), false),
		harEntry("https://example.com/v1/oddities/123?key=secret", "{}", "{}", false),
	}, ",")+`]}}`)
	other := writeFile(t, "traffic.jsonl", recordedExchange(auditedURL, auditedAnswer))
	stdout, stderr, code := invoke(t, "audit", file, other)
	if code != 0 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	for _, want := range []string{
		"2026-03-01 10:00:00", "$0.00027 computed", "? unpriced", "$0.00054", "2026-03-02", "openai gpt-4o-mini", "openai nobody-knows-it",
		"4 exchanges: 3 metered, 0 free, 1 unmetered", "unmetered: POST example.com/v1/oddities/{id} (1)",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	if strings.Contains(stdout, "secret") || strings.Contains(stdout, "sk-") {
		t.Errorf("a key is shown:\n%s", stdout)
	}
}

func TestAuditSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, want string }{
		"nothing":                 {"", "no exchanges"},
		"no exchanges":            {`{"log":{"version":"1.2"}}`, "no exchanges"},
		"something else":          {`"text"`, "where an object or an array was wanted"},
		"cut off":                 {`{"log":{"entries":[` + harEntry(auditedURL, auditedRequest, auditedAnswer, false) + `,{"reque`, "after 1 exchanges"},
		"not JSON":                {"<html>", "invalid character"},
		"a URL without a host":    {recordedExchange("/v1/chat/completions", auditedAnswer), "exchange 1: the URL of its request is not absolute"},
		"a request of no request": {`[{"response":{"status":200}}]`, "exchange 1: the URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := writeFile(t, "traffic", tt.text)
			if _, stderr, code := invoke(t, "audit", path); code == 0 || !strings.Contains(stderr, tt.want) || !strings.Contains(stderr, path) {
				t.Errorf("exit %d, %q; want %q and the file's name", code, stderr, tt.want)
			}
		})
	}
	if _, stderr, code := invoke(t, "audit", "no-such-file.har"); code == 0 || !strings.Contains(stderr, "no-such-file.har") {
		t.Errorf("exit %d, %q", code, stderr)
	}
}

// TestAuditOfExchangesWithoutAnAnswer: a browser records what it has given up. Nobody knows whether it was billed.
func TestAuditOfExchangesWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	entry := strings.Replace(harEntry(auditedURL, auditedRequest, auditedAnswer, false), `"status":200`, `"status":0`, 1)
	stdout, stderr, code := invoke(t, "audit", "--json", writeFile(t, "traffic.har", `{"log":{"entries":[`+entry+`]}}`))
	receipts := receiptsOf(t, stdout)
	if code != 0 || len(receipts) != 1 || receipts[0].Source != farebox.Held || receipts[0].Status != 0 {
		t.Errorf("exit %d, %s, %+v", code, stderr, receipts)
	}
}

// TestAuditDoesNotKeepTheFile reads a HAR file of 64 MB as it comes, in a few.
func TestAuditDoesNotKeepTheFile(t *testing.T) {
	entry := harEntry(auditedURL, auditedRequest, strings.Replace(auditedAnswer, "Hi", strings.Repeat("x", 64<<10), 1), false)
	source, w := io.Pipe()
	go func() {
		_, err := io.WriteString(w, `{"log":{"entries":[`+entry)
		for range 1000 {
			if err == nil {
				_, err = io.WriteString(w, ","+entry)
			}
		}
		_, _ = io.WriteString(w, "]}}")
		_ = w.CloseWithError(err)
	}()
	var most uint64
	count := 0
	err := readExchanges(source, func(*exchange) error {
		if count++; count%100 == 0 {
			runtime.GC()
			var stats runtime.MemStats
			runtime.ReadMemStats(&stats)
			most = max(most, stats.HeapAlloc)
		}
		return nil
	})
	if err != nil || count != 1001 {
		t.Fatalf("%d exchanges, %v", count, err)
	}
	t.Logf("at most %d MiB in use", most>>20)
	if most > 48<<20 {
		t.Errorf("%d MiB in use for a file that is read as it comes", most>>20)
	}
}

// TestAuditStopsWhenAsked: with Ctrl-C, say.
func TestAuditStopsWhenAsked(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out, errs strings.Builder
	code := run(ctx, []string{"audit", writeFile(t, "x", recordedExchange(auditedURL, auditedAnswer))}, strings.NewReader(""), &out, &errs)
	if code == 0 || !strings.Contains(errs.String(), "canceled") {
		t.Errorf("exit %d, %s", code, errs.String())
	}
}

// FuzzReadExchanges: no file makes it panic, and what it hands on can be made a request of or is refused.
func FuzzReadExchanges(f *testing.F) {
	f.Add(`{"log":{"entries":[` + harEntry(auditedURL, auditedRequest, auditedAnswer, true) + `]}}`)
	f.Add(recordedExchange(auditedURL, auditedAnswer))
	f.Add(`[{"request":{"body":{"_multipart":{"file":"<file, 3 bytes>"}},"headers":{"a":["b",1]}},"response":{"text":"x"}}]`)
	f.Fuzz(func(t *testing.T, text string) {
		_ = readExchanges(strings.NewReader(text), func(x *exchange) error {
			req, err := x.request(context.Background())
			if err != nil {
				return err
			}
			if resp, err := x.response(req); err == nil && (resp.Body == nil || resp.Header == nil || resp.StatusCode <= 0) {
				t.Errorf("answer %+v", resp)
			}
			return nil
		})
	})
}
