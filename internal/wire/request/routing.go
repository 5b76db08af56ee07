package request

import (
	"bytes"

	"github.com/farebox-go/farebox/internal/jsonwalk"
)

// ReadRouting reads OpenRouter's provider preferences, as far as they bound who serves and at what price.
func (q *Body) ReadRouting() {
	if !q.R.Object() {
		return
	}
	var order []string
	fallbacks := true
	for q.R.Member() {
		switch string(q.R.Key()) {
		case "only":
			q.Routing.Only = q.texts()
		case "ignore":
			q.Routing.Ignore = q.texts()
		case "order":
			order = q.texts()
		case "allow_fallbacks":
			fallbacks = q.R.Kind() != jsonwalk.Bool || q.R.True()
		case "max_price":
			q.readMaxPrice()
		}
	}
	if !fallbacks && len(order) > 0 && len(q.Routing.Only) == 0 {
		q.Routing.Only = order
	}
}

// texts reads a list of strings.
func (q *Body) texts() (list []string) {
	if !q.R.Array() {
		return nil
	}
	for q.R.Element() {
		if text, ok := q.R.AppendText(nil); ok && len(text) > 0 {
			list = append(list, string(text))
		}
	}
	return list
}

func (q *Body) readMaxPrice() {
	if !q.R.Object() {
		return
	}
	for q.R.Member() {
		literal := string(bytes.Trim(q.R.Raw(), `"`))
		if !jsonwalk.IsNumber([]byte(literal)) {
			continue
		}
		switch string(q.R.Key()) {
		case "prompt":
			q.Routing.MaxPrompt = literal
		case "completion":
			q.Routing.MaxCompletion = literal
		case "request":
			q.Routing.MaxRequest = literal
		}
	}
}
