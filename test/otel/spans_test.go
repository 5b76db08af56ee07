package otel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/farebox-go/farebox"
)

func TestCallIsASpanWithItsAttemptsAsChildren(t *testing.T) {
	t.Parallel()
	c := collect(t, nil, overloaded, served)
	resp, err := c.client.CreateChatCompletion(context.Background(), request(), farebox.WithTags(farebox.Tags{"team": "search"}))
	if err != nil {
		t.Fatal(err)
	}
	spans := c.spans.Ended()
	if len(spans) != 3 {
		t.Fatalf("%d spans, want the two attempts and their call", len(spans))
	}
	failed, second, call := spans[0], spans[1], spans[2]
	host, _ := url.Parse(c.server.URL)
	port, _ := strconv.Atoi(host.Port())

	if call.Name() != "chat gpt-4o-mini" || call.SpanKind() != oteltrace.SpanKindClient || call.Parent().IsValid() {
		t.Errorf("the call's span is %q, %v, under %v", call.Name(), call.SpanKind(), call.Parent().SpanID())
	}
	if call.Status().Code == codes.Error {
		t.Errorf("a call that was served in the end has failed: %v", call.Status())
	}
	wantAttributes(t, call, map[attribute.Key]any{
		"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
		"gen_ai.request.model": "gpt-4o-mini", "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
		"gen_ai.response.id": "chatcmpl-1", "gen_ai.response.finish_reasons": []string{"stop"},
		"gen_ai.usage.input_tokens": wantInput, "gen_ai.usage.output_tokens": wantOutput,
		"gen_ai.usage.cache_read.input_tokens": wantCached, "gen_ai.usage.cache_creation.input_tokens": 0,
		"gen_ai.usage.cost": wantCost, "farebox.cost.source": "computed", "farebox.attempts": 2,
		"farebox.endpoint": "openai", "farebox.key": "production", "farebox.receipt.id": resp.Receipt.ID,
		"farebox.tag.team": "search", "server.address": host.Hostname(), "server.port": port,
		"http.response.status_code": http.StatusOK, "error.type": nil,
	})
	for i, attempt := range []trace.ReadOnlySpan{failed, second} {
		if attempt.Name() != "attempt" || attempt.SpanKind() != oteltrace.SpanKindInternal ||
			attempt.Parent().SpanID() != call.SpanContext().SpanID() {
			t.Errorf("attempt %d: %q, %v, under %v", i, attempt.Name(), attempt.SpanKind(), attempt.Parent().SpanID())
		}
		wantAttributes(t, attempt, map[attribute.Key]any{
			"farebox.receipt.id": resp.Receipts[i].ID, "farebox.tag.team": "search",
			// The call's span has these for all attempts; here a backend would add them a second time.
			"gen_ai.usage.cost": nil, "gen_ai.usage.input_tokens": nil, "gen_ai.usage.output_tokens": nil,
		})
	}
	wantAttributes(t, failed, map[attribute.Key]any{
		"http.response.status_code": http.StatusTooManyRequests, "error.type": "rate_limit", "farebox.cost.source": "unbilled",
	})
	if failed.Status().Code != codes.Error || failed.Status().Description != "rate_limit" {
		t.Errorf("the failed attempt's status is %v", failed.Status())
	}
	wantAttributes(t, second, map[attribute.Key]any{"http.response.status_code": http.StatusOK, "error.type": nil})
}

func TestFailedCallNamesItsError(t *testing.T) {
	t.Parallel()
	c := collect(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"error":{"message":"no such key","type":"invalid_request_error","code":"invalid_api_key"}}`))
	})
	_, err := c.client.CreateChatCompletion(context.Background(), request())
	if !errors.Is(err, farebox.ErrAuth) {
		t.Fatal(err)
	}
	spans := c.spans.Ended()
	if len(spans) != 2 {
		t.Fatalf("%d spans, want an attempt and its call", len(spans))
	}
	for _, span := range spans {
		wantAttributes(t, span, map[attribute.Key]any{"error.type": "auth"})
		if span.Status().Code != codes.Error || span.Status().Description != "auth" {
			t.Errorf("span %q has status %v", span.Name(), span.Status())
		}
	}
	wantAttributes(t, spans[1], map[attribute.Key]any{"farebox.attempts": 1, "gen_ai.usage.cost": 0.0, "gen_ai.usage.input_tokens": nil})
}

func TestRefusedCallIsASpanWithoutAttempts(t *testing.T) {
	t.Parallel()
	c := collect(t, []farebox.MeterOption{farebox.WithBudget(farebox.Budget{Name: "daily", Cap: farebox.MustMoney("0.000001"), Window: farebox.Daily})}, served)
	_, err := c.client.CreateChatCompletion(context.Background(), request())
	if !errors.Is(err, farebox.ErrBudgetExceeded) {
		t.Fatal(err)
	}
	spans := c.spans.Ended()
	if len(spans) != 1 || len(c.sent()) != 0 {
		t.Fatalf("%d spans and %d requests, want the call's alone and none", len(spans), len(c.sent()))
	}
	wantAttributes(t, spans[0], map[attribute.Key]any{
		"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini",
		"error.type": "refused.exhausted", "farebox.attempts": 0, "gen_ai.usage.cost": 0.0, "farebox.key": "production",
	})
}

func TestUnpricedCallShowsNoCost(t *testing.T) {
	t.Parallel()
	c := collect(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"id":"x","model":"house-blend","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":` + usage + `}`))
	})
	unpriced := request()
	unpriced.Model = "house-blend"
	if _, err := c.client.CreateChatCompletion(context.Background(), unpriced); err != nil {
		t.Fatal(err)
	}
	spans := c.spans.Ended()
	wantAttributes(t, spans[len(spans)-1], map[attribute.Key]any{
		"gen_ai.usage.cost": nil, "farebox.cost.source": "unpriced", "gen_ai.usage.input_tokens": wantInput,
	})
}

func TestStreamIsASpanUntilItEnds(t *testing.T) {
	t.Parallel()
	c := collect(t, nil, streamed)
	stream, err := c.client.CreateChatCompletionStream(context.Background(), request())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(c.spans.Ended()); n != 0 {
		t.Errorf("%d spans have ended while the stream is open", n)
	}
	for _, err := range stream.Chunks() {
		if err != nil {
			t.Fatal(err)
		}
	}
	spans := c.spans.Ended()
	if len(spans) != 2 {
		t.Fatalf("%d spans, want an attempt and its call", len(spans))
	}
	wantAttributes(t, spans[1], map[attribute.Key]any{
		"gen_ai.usage.cost": wantCost, "gen_ai.usage.input_tokens": wantInput, "gen_ai.usage.output_tokens": wantOutput,
		"gen_ai.response.finish_reasons": []string{"stop"}, "gen_ai.response.id": "chatcmpl-2",
	})
}

func TestUnderAnotherSDKEachAttemptIsASpan(t *testing.T) {
	t.Parallel()
	c := collect(t, nil, overloaded, served)
	ctx := farebox.ContextWithTags(context.Background(), farebox.Tags{"team": "search"})
	client := c.otherSDK()
	if _, err := client.CreateChatCompletion(ctx, request()); err == nil {
		t.Fatal("the first answer is an error")
	}
	if _, err := client.CreateChatCompletion(ctx, request()); err != nil {
		t.Fatal(err)
	}
	spans := c.spans.Ended()
	if len(spans) != 2 {
		t.Fatalf("%d spans, want one for each attempt", len(spans))
	}
	for _, span := range spans {
		if span.Name() != "chat gpt-4o-mini" || span.SpanKind() != oteltrace.SpanKindClient {
			t.Errorf("span %q of kind %v", span.Name(), span.SpanKind())
		}
		wantAttributes(t, span, map[attribute.Key]any{
			"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "farebox.tag.team": "search", "farebox.attempts": nil,
		})
	}
	wantAttributes(t, spans[0], map[attribute.Key]any{"error.type": "rate_limit", "gen_ai.usage.cost": 0.0, "gen_ai.usage.input_tokens": nil})
	wantAttributes(t, spans[1], map[attribute.Key]any{
		"error.type": nil, "gen_ai.usage.cost": wantCost, "gen_ai.usage.input_tokens": wantInput,
		"gen_ai.usage.output_tokens": wantOutput, "gen_ai.usage.cache_read.input_tokens": wantCached,
	})
}

func TestSpansAreUnderTheCallersOwn(t *testing.T) {
	t.Parallel()
	c := collect(t, nil, served)
	provider := trace.NewTracerProvider(trace.WithSpanProcessor(c.spans))
	ctx, own := provider.Tracer("service").Start(context.Background(), "handler")
	if _, err := c.client.CreateChatCompletion(ctx, request()); err != nil {
		t.Fatal(err)
	}
	own.End()
	call := c.spans.Ended()[1]
	if call.Parent().SpanID() != own.SpanContext().SpanID() || call.SpanContext().TraceID() != own.SpanContext().TraceID() {
		t.Errorf("the call's span is under %v, want the caller's %v", call.Parent().SpanID(), own.SpanContext().SpanID())
	}
}

// Trace headers would tell the provider about the caller's other calls, and baggage may hold anything.
func TestNothingOfTheTraceIsSentToTheProvider(t *testing.T) {
	t.Parallel()
	c := collect(t, nil, served)
	member, err := baggage.NewMember("customer", "acme")
	if err != nil {
		t.Fatal(err)
	}
	bag, err := baggage.New(member)
	if err != nil {
		t.Fatal(err)
	}
	provider := trace.NewTracerProvider()
	ctx, own := provider.Tracer("service").Start(baggage.ContextWithBaggage(context.Background(), bag), "handler")
	defer own.End()
	if _, err := c.client.CreateChatCompletion(ctx, request()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.otherSDK().CreateChatCompletion(ctx, request()); err != nil {
		t.Fatal(err)
	}
	if len(c.sent()) != 2 {
		t.Fatalf("%d requests, want 2", len(c.sent()))
	}
	for _, header := range c.sent() {
		for _, name := range []string{"Traceparent", "Tracestate", "Baggage", "B3", "X-B3-Traceid", "Uber-Trace-Id", "X-Amzn-Trace-Id"} {
			if value := header.Get(name); value != "" {
				t.Errorf("the provider was sent %s: %s", name, value)
			}
		}
	}
}

func TestNoSpanHoldsAKeyOrText(t *testing.T) {
	t.Parallel()
	echo := func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"error":{"message":"cannot read %s with %s","type":"invalid_request_error"}}`, secretPrompt, secretKey)
	}
	c := collect(t, nil, served, streamed, echo, overloaded, served)
	ctx := context.Background()
	if _, err := c.client.CreateChatCompletion(ctx, request()); err != nil {
		t.Fatal(err)
	}
	stream, err := c.client.CreateChatCompletionStream(ctx, request())
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = stream.Recv()
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if _, err := c.client.CreateChatCompletion(ctx, request()); err == nil {
		t.Fatal("the third answer is an error")
	}
	if _, err := c.client.CreateChatCompletion(ctx, request()); err != nil {
		t.Fatal(err)
	}
	spans := c.spans.Ended()
	if len(spans) != 9 {
		t.Errorf("%d spans, want 4 calls and 5 attempts", len(spans))
	}
	for _, span := range spans {
		shown := fmt.Sprint(span.Name(), span.Status(), span.Attributes(), span.Events(), span.Links())
		if secret := holdsSecret(shown); secret != "" {
			t.Errorf("span %q shows %q: %s", span.Name(), secret, shown)
		}
	}
}
