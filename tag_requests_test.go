package farebox_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"go.opentelemetry.io/otel/baggage"

	"github.com/farebox-go/farebox"
)

// tagsOf serves a request and returns the tags that its handler found.
func tagsOf(tags farebox.RequestTags, req *http.Request) farebox.Tags {
	var found farebox.Tags
	tags.Handler(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		found = farebox.TagsFromContext(req.Context())
	})).ServeHTTP(httptest.NewRecorder(), req)
	return found
}

func TestRequestTags(t *testing.T) {
	t.Parallel()
	all := farebox.RequestTags{
		Headers: map[string]string{"X-Team": "team", "X-User": "user"}, Baggage: []string{"user", "tenant"},
		Func: func(req *http.Request) farebox.Tags { return farebox.Tags{"route": req.URL.Path} },
	}
	for _, tt := range []struct {
		name   string
		tags   farebox.RequestTags
		header http.Header
		want   string
	}{
		{"nothing asked for", farebox.RequestTags{}, http.Header{"X-Team": {"search"}, "Baggage": {"user=u1"}}, "map[]"},
		{"nothing sent", all, nil, "map[route:/ask]"},
		{"headers", all, http.Header{"X-Team": {"search", "other"}, "X-Other": {"x"}}, "map[route:/ask team:search]"},
		{"baggage", all, http.Header{"Baggage": {"user=u1;p=1 , secret=x", "tenant=a%20b"}}, "map[route:/ask tenant:a b user:u1]"},
		{"a header over baggage", all, http.Header{"X-User": {"u2"}, "Baggage": {"user=u1"}}, "map[route:/ask user:u2]"},
		{"a function over both", farebox.RequestTags{Headers: map[string]string{"X-User": "user"}, Func: func(*http.Request) farebox.Tags { return farebox.Tags{"user": "proven"} }},
			http.Header{"X-User": {"claimed"}}, "map[user:proven]"},
		{"long values", all, http.Header{"X-Team": {strings.Repeat("x", 129)}, "X-User": {strings.Repeat("x", 128)}}, "map[route:/ask user:" + strings.Repeat("x", 128) + "]"},
		{"values that are no text", all, http.Header{"X-Team": {"a\x00b"}, "X-User": {"\xff"}, "Baggage": {"tenant=%0A"}}, "map[route:/ask]"},
		{"blank values", all, http.Header{"X-Team": {"  "}}, "map[route:/ask]"},
		{"broken baggage", all, http.Header{"Baggage": {"tenant"}}, "map[route:/ask]"},
		{"too much baggage", all, http.Header{"Baggage": {strings.Repeat("x=1,", 3000) + "tenant=t"}}, "map[route:/ask]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := httptest.NewRequest(http.MethodPost, "/ask?q=secret", nil)
			req.Header = tt.header
			if got := fmt.Sprint(map[string]string(tagsOf(tt.tags, req))); got != tt.want {
				t.Errorf("tags %s, want %s", got, tt.want)
			}
		})
	}
}

// TestRequestTagsFromContext: a middleware that has read the baggage is believed, and tags that are there already stay.
func TestRequestTagsFromContext(t *testing.T) {
	t.Parallel()
	member, err := baggage.NewMember("user", "u1")
	if err != nil {
		t.Fatal(err)
	}
	carried, err := baggage.New(member)
	if err != nil {
		t.Fatal(err)
	}
	ctx := farebox.ContextWithTags(baggage.ContextWithBaggage(context.Background(), carried), farebox.Tags{"service": "api"})
	req := httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx)
	req.Header.Set("Baggage", "user=u2")
	if got := tagsOf(farebox.RequestTags{Baggage: []string{"user"}}, req); got["user"] != "u1" || got["service"] != "api" {
		t.Errorf("tags %v", got)
	}
}

// FuzzRequestTags: whatever a stranger sends, a tag is short, printable text under a name that was asked for.
func FuzzRequestTags(f *testing.F) {
	f.Add("search", "user=u1,tenant=a%20b;x=y")
	f.Add("\x00", "user=%FF,,=")
	f.Fuzz(func(t *testing.T, header, carried string) {
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		req.Header["X-Team"], req.Header["Baggage"] = []string{header}, []string{carried}
		for name, value := range tagsOf(farebox.RequestTags{Headers: map[string]string{"X-Team": "team"}, Baggage: []string{"user"}}, req) {
			if name != "team" && name != "user" || value == "" || len(value) > 128 || !utf8.ValidString(value) {
				t.Errorf("tag %q = %q", name, value)
			}
		}
	})
}
