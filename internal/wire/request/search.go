package request

import (
	"slices"
	"strings"

	"github.com/farebox-go/farebox/internal/jsonwalk"
)

// ReadSearch reads the members that turn on a web search.
func (q *Body) ReadSearch() {
	switch string(q.R.Key()) {
	case "plugins":
		q.plugins()
	case "web_search_options":
		q.WebSearch = q.WebSearch || q.R.Kind() == jsonwalk.Object
	case "enable_search":
		q.WebSearch = q.R.True() || q.WebSearch
	case "search_parameters":
		q.searchParameters()
	}
}

// searching are parts of the names of models that search without being told to: OpenAI's gpt-4o-search-preview and
// gpt-5-search-api (docs.litellm.ai/docs/completion/web_search, 2026-10-14), and deep research, which Perplexity bills by
// the search. Its other models charge a fee for the request instead.
var searching = [...]string{"-search-preview", "-search-api", "deep-research"}

// SearchesOnline says whether a model's name turns on a web search: OpenRouter's by a variant, or the model's own.
func SearchesOnline(model string) bool {
	if _, variants, ok := strings.Cut(model, ":"); ok && strings.Contains(":"+variants+":", ":online:") {
		return true
	}
	return slices.ContainsFunc(searching[:], func(part string) bool { return strings.Contains(model, part) })
}

// MostToolUses is the largest limit on the uses of a tool that is kept: sums of prices stay far from overflowing.
const MostToolUses = 1_000_000

// plugins reads OpenRouter's plugins, of which "web" searches.
func (q *Body) plugins() {
	if !q.R.Array() {
		return
	}
	for q.R.Element() {
		web, off := false, false
		if !q.R.Object() {
			continue
		}
		for q.R.Member() {
			switch string(q.R.Key()) {
			case "id":
				id, _, _ := q.R.Text()
				web = string(id) == "web"
			case "enabled":
				off = string(q.R.Raw()) == "false"
			}
		}
		q.WebSearch = q.WebSearch || web && !off
	}
}

// searchParameters reads xAI's live search, which is on unless its mode says otherwise.
func (q *Body) searchParameters() {
	if !q.R.Object() {
		return
	}
	on := true
	for q.R.Member() {
		if string(q.R.Key()) == "mode" {
			mode, _, _ := q.R.Text()
			on = string(mode) != "off"
		}
	}
	q.WebSearch = q.WebSearch || on
}
