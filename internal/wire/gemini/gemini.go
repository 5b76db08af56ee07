// Package gemini reads the wire format of Google's Gemini API and of Gemini on Vertex AI: generateContent and its stream
// (server-sent events, or one JSON array), embedContent, predict, and interactions.
package gemini

import (
	"net/http"
	"strings"

	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/failure"
	"github.com/farebox-go/farebox/internal/wire/usage"
)

// Format implements [wire.Format]. The zero value is ready to use and safe for concurrent use.
type Format struct{}

var _ wire.Format = Format{}

// Name implements [wire.Format].
func (Format) Name() string { return "gemini" }

// Recognise implements [wire.Format]. Routes are a model and a verb, ".../models/gemini-3-flash:generateContent", or
// interactions.
func (Format) Recognise(to wire.Target) (route wire.Route, ok bool) {
	rest, last := cutLast(to.Path)
	if isInteractions(to, rest, last) {
		return interactionsRoute(to.Method, last)
	}
	model, verb, ok := strings.Cut(last, ":")
	if !ok || to.Method != http.MethodPost {
		return route, false
	}
	switch verb {
	case "generateContent", "streamGenerateContent":
		return wire.Route{Operation: wire.GenerateContent}, true
	case "embedContent", "batchEmbedContents", "embedText", "batchEmbedText":
		return wire.Route{Operation: wire.Embeddings}, true
	case "countTokens", "computeTokens": // ai.google.dev/api/tokens, 2026-11: not charged for
		return wire.Route{Billing: wire.Free}, true
	case "predict":
		return predictRoute(rest, model)
	}
	return route, false
}

// predictRoute tells what a model of Google's on Vertex predicts. Models of the caller's own are not known.
func predictRoute(rest, model string) (route wire.Route, ok bool) {
	switch {
	case !strings.HasSuffix(rest, "publishers/google/models/") && !strings.HasSuffix(rest, "v1beta/models/"):
		return route, false
	case strings.Contains(model, "embedding") || strings.Contains(model, "textembedding"):
		return wire.Route{Operation: wire.Embeddings}, true
	case strings.HasPrefix(model, "imagen") || strings.HasPrefix(model, "imagegeneration"):
		return wire.Route{Operation: wire.ImageGeneration}, true
	}
	return route, false
}

// isInteractions: at Google, or under the version of its API elsewhere; the name alone says little.
func isInteractions(to wire.Target, rest, last string) bool {
	before, parent := cutLast(rest)
	if last != "interactions" {
		if parent != "interactions" {
			return false
		}
		_, parent = cutLast(before)
	}
	return to.Provider == "google" || to.Provider == "vertex" || parent == "v1beta" || parent == "v1beta1"
}

func interactionsRoute(method, last string) (route wire.Route, ok bool) {
	switch {
	case method == http.MethodPost && last == "interactions":
		return wire.Route{Operation: wire.Chat}, true
	case method == http.MethodGet && last != "interactions":
		return wire.Route{Operation: wire.Chat, Billing: wire.FollowUp, ID: last}, true
	case method == http.MethodDelete:
		return wire.Route{Billing: wire.Free}, true
	}
	return route, false
}

// cutLast takes the last segment off a path.
func cutLast(path string) (rest, segment string) {
	path = strings.TrimRight(path, "/")
	i := strings.LastIndexByte(path, '/')
	return path[:i+1], path[i+1:]
}

// modelOf is the model that a path names, without its verb.
func modelOf(path string) string {
	_, last := cutLast(path)
	model, _, _ := strings.Cut(last, ":")
	return model
}

// regionOf is the location in the path of a request to Vertex; empty where there is none, or where it is the global one,
// which has no price of its own.
func regionOf(path string) string {
	_, after, ok := strings.Cut(path, "/locations/")
	if !ok {
		return ""
	}
	region, _, _ := strings.Cut(after, "/")
	if region == "global" {
		return ""
	}
	return region
}

// IncludeUsage implements [wire.Format]: usage is always there.
func (Format) IncludeUsage(body []byte) ([]byte, error) { return body, nil }

// ReadHeaders implements [wire.Format]. Google's headers say nothing of what a call consumed; a gateway's may.
func (Format) ReadHeaders(of *wire.Request, head http.Header, a *wire.Answer) {
	usage.CostInHeaders(of, head, a)
}

// ReadError implements [wire.Format].
func (Format) ReadError(status int, body []byte) wire.Error { return failure.Read(status, body) }
