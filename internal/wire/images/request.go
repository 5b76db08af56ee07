package images

import (
	"math"
	"strconv"

	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/request"
)

// order is what images are asked for.
type order struct {
	size, quality string
	n             int64
}

// ReadRequest implements [wire.Format]. What is asked for is in Units, under the size and the quality.
func (Format) ReadRequest(op wire.Operation, to wire.Target, body []byte) (wire.Request, error) {
	var r wire.Request
	var o order
	var err error
	if request.IsForm(to.ContentType) {
		r.Operation = op
		err = request.Form("images", to.ContentType, body, func(name string, file bool, content []byte) {
			field(&r, &o, name, file, content)
		})
	} else {
		q := request.New("images", op, body)
		for q.Member() {
			member(&q, &o)
		}
		r, err = q.Request, q.Err()
	}
	if r.Model == "" {
		r.Model = wire.SegmentAfter(to.Path, "deployments")
	}
	if r.Model == "" {
		r.Model = defaultModel
	}
	n := max(o.n, 1)
	r.Inputs, r.Choices, r.ImageOutput, r.IncludeUsage = 1, int(min(n, math.MaxInt32)), true, true
	r.Units = map[string]int64{unit(r.Model, o.size, o.quality): n}
	return r, err
}

// defaultModel makes the images where none is named (platform.openai.com/docs/api-reference/images/create, 2026-11).
const defaultModel = "dall-e-2"

func member(q *request.Body, o *order) {
	switch string(q.R.Key()) {
	case "model":
		q.Model = q.Text("model")
	case "prompt":
		q.TextBytes += request.TextBytes(&q.R)
	case "n":
		o.n = q.Count()
	case "size":
		o.size = q.Text("size")
	case "quality":
		o.quality = q.Text("quality")
	case "stream":
		q.Stream = q.R.True()
	case "image", "images", "image_url", "input_image":
		q.Images += images(q)
	}
}

// images counts pictures that are to be changed.
func images(q *request.Body) (n int) {
	if !q.R.Array() {
		return 1
	}
	for q.R.Element() {
		n++
	}
	return n
}

func field(r *wire.Request, o *order, name string, file bool, content []byte) {
	switch {
	case file:
		r.Images++
	case name == "model":
		r.Model = string(content)
	case name == "prompt":
		r.TextBytes += int64(len(content))
	case name == "n":
		o.n, _ = strconv.ParseInt(string(content), 10, 64)
	case name == "size":
		o.size = string(content)
	case name == "quality":
		o.quality = string(content)
	case name == "stream":
		r.Stream = string(content) == "true"
	}
}

// unit names what an image is charged as: "image/1024x1024/hd". What is ordinary is left out of the name; where the size is the
// model's to choose there is none in it.
func unit(model, size, quality string) string {
	if size == "" && (model == defaultModel || model == "dall-e-3") {
		size = "1024x1024" // both models' own
	}
	name := wire.UnitImage
	if size == "" || size == "auto" {
		return name
	}
	name += "/" + size
	if quality != "" && quality != "standard" && quality != "auto" {
		name += "/" + quality
	}
	return name
}
