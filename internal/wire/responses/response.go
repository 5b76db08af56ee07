package responses

import (
	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/usage"
)

// response gathers what a response object says.
type response struct {
	status  string
	reason  string // why it is incomplete
	tier    string
	usage   []byte // as it was written; nil: none
	tools   toolUsage
	work    work
	imageBy string // the model of the image tool
}

// work is what the provider's own tools did, by the items of the output.
type work struct {
	searchCalls, pageViews int64 // calls of the search tool, and those of them that only looked at a page
	fileSearches           int64
	containers             []string
}

// toolUsage is what the response itself states of them.
type toolUsage struct {
	searches       int64
	searchesStated bool
	images         wire.Usage
}

// maxContainers bounds the containers that are told apart.
const maxContainers = 64

// itemType takes note of an item of the output.
func (w *work) itemType(kind string) {
	switch kind {
	case "web_search_call":
		w.searchCalls++
	case "file_search_call":
		w.fileSearches++
	}
}

// action takes note of what a call did. Only searches are charged for, not the pages that are opened of what they found
// (platform.openai.com/docs/guides/tools-web-search, 2026-11).
func (w *work) action(kind string) {
	switch kind {
	case "open_page", "find_in_page", "find":
		w.pageViews++
	}
}

// container takes note of a container that code ran in; it is charged for once, however often code ran.
func (w *work) container(id string) {
	for _, known := range w.containers {
		if known == id {
			return
		}
	}
	if id != "" && len(w.containers) < maxContainers {
		w.containers = append(w.containers, id)
	}
}

// tell puts what was gathered into an answer.
func (o *response) tell(a *wire.Answer) {
	a.Pending = o.status == "queued" || o.status == "in_progress"
	a.FinishReason = ""
	if !a.Pending {
		a.FinishReason = o.status
	}
	if o.reason != "" {
		a.FinishReason = o.reason
	}
	if o.usage == nil {
		return
	}
	read, ok := usage.Read(o.usage)
	if !ok {
		return
	}
	read.Tell(a)
	if a.ServiceTier = o.tier; a.ServiceTier == "" {
		a.ServiceTier = read.ServiceTier()
	}
	o.tellTools(a)
}

func (o *response) tellTools(a *wire.Answer) {
	searches := max(o.work.searchCalls-o.work.pageViews, 0)
	if o.tools.searchesStated {
		searches = o.tools.searches
	}
	a.Usage.WebSearches = max(a.Usage.WebSearches, searches)
	a.Usage.Units = nil
	o.unit(a, wire.UnitToolCall+"/file_search", o.work.fileSearches)
	o.unit(a, wire.UnitSession+"/code_interpreter", int64(len(o.work.containers)))
	a.Iterations = nil
	if o.tools.images.InputTokens()+o.tools.images.OutputTokens() > 0 {
		model := o.imageBy
		if model == "" {
			model = defaultImageModel
		}
		a.Iterations = []wire.Iteration{{Model: model, Usage: o.tools.images}}
	}
}

// defaultImageModel draws where the image tool names none (platform.openai.com/docs/guides/tools-image-generation, 2026-11).
const defaultImageModel = "gpt-image-1"

func (o *response) unit(a *wire.Answer, name string, n int64) {
	if n == 0 {
		return
	}
	if a.Usage.Units == nil {
		a.Usage.Units = make(map[string]int64)
	}
	a.Usage.Units[name] = n
}

// toolUsage reads the member of that name: searches, and what the image tool consumed at its own model's price.
func (o *response) toolUsage(r *jsonwalk.Reader) {
	if !r.Object() {
		return
	}
	for r.Member() {
		switch string(r.Key()) {
		case "web_search":
			o.searches(r)
		case "image_gen":
			if read, ok := usage.Read(r.Raw()); ok {
				var a wire.Answer
				read.Tell(&a)
				o.tools.images = a.Usage
				o.tools.images.Requests = 0
			}
		}
	}
}

func (o *response) searches(r *jsonwalk.Reader) {
	if !r.Object() {
		return
	}
	for r.Member() {
		if string(r.Key()) == "num_requests" {
			if n, stated, _ := usage.Count(r); stated {
				o.tools.searches, o.tools.searchesStated = n, true
			}
		}
	}
}
