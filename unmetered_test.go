package farebox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/farebox-go/farebox"
)

// request sends a request without a body's worth of meaning to a route.
func request(t *testing.T, client *http.Client, method, url string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader("odd bytes"))
	if err != nil {
		t.Fatal(err)
	}
	return client.Do(req)
}

func TestUnmeteredRequestsPassAndAreLoggedOncePerRoute(t *testing.T) {
	t.Parallel()
	p := serve(t, answersAs("text/odd", 207, "an odd answer"))
	var log bytes.Buffer
	meter := newMeter(t, emptyBudget, farebox.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	client := meter.HTTPClient()
	for i := range 3 {
		for _, path := range []string{"/v1/oddities", fmt.Sprintf("/v1/oddities/odd-%d:ponder?key=secret", i)} {
			resp, err := request(t, client, http.MethodPost, p.URL+path)
			if err != nil {
				t.Fatal(err)
			}
			if body := readAll(t, resp); body != "an odd answer" || resp.StatusCode != 207 {
				t.Errorf("%s: %d %q", path, resp.StatusCode, body)
			}
		}
	}
	for _, seen := range p.requests() {
		if seen.body != "odd bytes" {
			t.Errorf("sent %q", seen.body)
		}
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "route=/v1/oddities ") || !strings.Contains(lines[1], "route=/v1/oddities/{id}:ponder ") {
		t.Errorf("logged %q", lines)
	}
	if strings.Contains(log.String(), "secret") {
		t.Error("the query is in the log")
	}
	if n := len(ledger(meter)); n != 0 {
		t.Errorf("%d receipts", n)
	}
}

func TestUnmeteredRoutesAreBounded(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	meter := newMeter(t, farebox.WithLogger(slog.New(slog.NewTextHandler(&log, nil))),
		farebox.WithBaseTransport(roundTripper(func(*http.Request) (*http.Response, error) { return reply(200, "{}"), nil })))
	client := meter.HTTPClient()
	for i := range 1000 {
		word := strings.Map(func(digit rune) rune { return digit - '0' + 'a' }, fmt.Sprint(i))
		resp, err := request(t, client, http.MethodPost, "http://host/"+word)
		if err != nil {
			t.Fatal(err)
		}
		_ = readAll(t, resp)
	}
	if n := strings.Count(log.String(), "\n"); n != 256 {
		t.Errorf("%d lines logged, want 256", n)
	}
	if n := strings.Count(log.String(), "last_logged=true"); n != 1 {
		t.Errorf("%d lines say that they are the last, want 1", n)
	}
}

// closeNoter notes that a request's body was closed, as a RoundTripper has to.
type closeNoter struct {
	io.Reader
	closed bool
}

func (c *closeNoter) Close() error {
	c.closed = true
	return nil
}

func TestRefuseUnmetered(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, chatAnswer))
	meter := newMeter(t, farebox.WithRefuseUnmetered())
	body := &closeNoter{Reader: strings.NewReader("odd bytes")}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, p.URL+"/v1/oddities/123?key=secret", body)
	if err != nil {
		t.Fatal(err)
	}
	_, err = meter.HTTPClient().Do(req)
	var unmetered *farebox.UnmeteredError
	if !errors.As(err, &unmetered) || !errors.Is(err, farebox.ErrRefused) {
		t.Fatalf("error %v", err)
	}
	if unmetered.Method != http.MethodPost || "http://"+unmetered.Host != p.URL || unmetered.Route != "/v1/oddities/{id}" {
		t.Errorf("%+v", unmetered)
	}
	if text := unmetered.Error(); strings.Contains(text, "secret") || !strings.Contains(text, "WithRefuseUnmetered") {
		t.Errorf("error %q", text)
	}
	if !body.closed || len(p.requests()) != 0 {
		t.Errorf("body closed: %v; %d sent", body.closed, len(p.requests()))
	}
	_ = readAll(t, mustPost(t, meter.HTTPClient(), p.URL, chatJSON)) // what can be metered still passes
	p.only(t)
}

// TestRefuseUnmeteredLeavesTheClientItsOwnRequests: lists of models are free, wherever they are asked for.
func TestRefuseUnmeteredLeavesTheClientItsOwnRequests(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, `{"object":"list","data":[{"id":"m","object":"model"}]}`))
	for _, endpoint := range []farebox.Endpoint{openAIAt(p), openRouterAt(p), farebox.Compatible("mine", p.URL+"/v1", "")} {
		client := newClient(t, endpoint, farebox.WithRefuseUnmetered())
		if list, err := client.ListModels(context.Background()); err != nil || len(list.Models) != 1 {
			t.Errorf("%s: %d models, %v", endpoint.Name(), len(list.Models), err)
		}
	}
}
