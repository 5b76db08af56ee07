package images_test

import (
	"reflect"
	"testing"

	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/images"
	"github.com/farebox-go/farebox/internal/wire/wiretest"
)

func TestRecognise(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/v1/images/generations": true, "/v1/images/edits": true, "/v1/images/variations": true,
		"/openai/deployments/d/images/generations": true, "/v1/images": false, "/v1/images/other": false, "/generations": false,
	} {
		route, ok := images.Format{}.Recognise(wire.Target{Method: "POST", Path: path})
		if ok != want || ok && route != (wire.Route{Operation: wire.ImageGeneration}) {
			t.Errorf("%s: %+v, %v", path, route, ok)
		}
		if _, ok := (images.Format{}).Recognise(wire.Target{Method: "GET", Path: path}); ok {
			t.Errorf("GET %s was recognised", path)
		}
	}
}

const form = "multipart/form-data; boundary=b"

// field is a part of a form.
func field(name, value string) string {
	return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
}

func file(name, content string) string {
	return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"; filename=\"f.png\"\r\nContent-Type: image/png\r\n\r\n" + content + "\r\n"
}

func TestReadRequest(t *testing.T) {
	t.Parallel()
	units := func(name string, n int64) map[string]int64 { return map[string]int64{name: n} }
	for name, c := range map[string]struct {
		to   wire.Target
		body string
		want wire.Request
	}{
		"nothing stated": {wire.Target{}, `{"prompt":"cat"}`,
			wire.Request{Model: "dall-e-2", TextBytes: 3, Choices: 1, Units: units("image/1024x1024", 1)}},
		"all stated": {wire.Target{}, `{"prompt":"cat","model":"dall-e-3","n":2,"size":"1792x1024","quality":"hd"}`,
			wire.Request{Model: "dall-e-3", TextBytes: 3, Choices: 2, Units: units("image/1792x1024/hd", 2)}},
		"ordinary quality": {wire.Target{}, `{"prompt":"cat","model":"dall-e-3","quality":"standard"}`,
			wire.Request{Model: "dall-e-3", TextBytes: 3, Choices: 1, Units: units("image/1024x1024", 1)}},
		"the model's choice": {wire.Target{}, `{"prompt":"cat","model":"gpt-image-1","size":"auto","quality":"low","stream":true}`,
			wire.Request{Model: "gpt-image-1", TextBytes: 3, Choices: 1, Stream: true, Units: units("image", 1)}},
		"Azure": {wire.Target{Path: "/openai/deployments/mine/images/generations"}, `{"prompt":"cat","size":"1024x1024"}`,
			wire.Request{Model: "mine", TextBytes: 3, Choices: 1, Units: units("image/1024x1024", 1)}},
		"a form": {wire.Target{ContentType: form}, field("model", "dall-e-2") + field("prompt", "cat") + field("n", "3") + field("size", "256x256") +
			file("image[]", "png") + file("image[]", "png") + file("mask", "png") + "--b--\r\n",
			wire.Request{Model: "dall-e-2", TextBytes: 3, Choices: 3, Images: 3, Units: units("image/256x256", 3)}},
	} {
		got, err := images.Format{}.ReadRequest(wire.ImageGeneration, c.to, []byte(c.body))
		c.want.Operation, c.want.Inputs, c.want.ImageOutput, c.want.IncludeUsage = wire.ImageGeneration, 1, true, true
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", name, got, err, c.want)
		}
	}
	for _, c := range []struct{ kind, body string }{{"", ""}, {"", "[]"}, {form, field("model", "m")}, {form, "--b\r\nbroken"}, {"multipart/form-data", "--b--"}} {
		if _, err := (images.Format{}).ReadRequest(wire.ImageGeneration, wire.Target{ContentType: c.kind}, []byte(c.body)); err == nil {
			t.Errorf("%q as %q was read", c.body, c.kind)
		}
	}
}

// asked is a request for two pictures of a size.
var asked = &wire.Request{Operation: wire.ImageGeneration, Model: "dall-e-3", Choices: 2, Units: map[string]int64{"image/1024x1024/hd": 2}}

func TestAnswers(t *testing.T) {
	t.Parallel()
	const two = `{"created":1,"data":[{"url":"https://x","revised_prompt":"p"},{"b64_json":"aGVsbG8="}]`
	for name, c := range map[string]struct {
		body string
		want wire.Usage
	}{
		"what was asked for": {two + `}`, wire.Usage{Requests: 1, Units: map[string]int64{"image/1024x1024/hd": 2}}},
		"fewer came":         {`{"data":[{"url":"u"}]}`, wire.Usage{Requests: 1, Units: map[string]int64{"image/1024x1024/hd": 1}}},
		"another size":       {two + `,"size":"512x512","quality":"low"}`, wire.Usage{Requests: 1, Units: map[string]int64{"image/512x512/low": 2}}},
		"tokens": {two + `,"usage":{"input_tokens":14,"input_tokens_details":{"image_tokens":4,"text_tokens":10},"output_tokens":272,"total_tokens":286}}`,
			wire.Usage{Input: 10, ImageInput: 4, ImageOutput: 272, Requests: 1}},
		"tokens of both kinds": {two + `,"usage":{"input_tokens":14,"output_tokens":300,"output_tokens_details":{"image_tokens":272,"text_tokens":28},"total_tokens":314}}`,
			wire.Usage{Input: 14, Output: 28, ImageOutput: 272, Requests: 1}},
	} {
		a := wiretest.ReadBody(images.Format{}, asked, []byte(c.body), wiretest.Whole)
		if !a.UsageSeen || !a.Done || !reflect.DeepEqual(a.Usage, c.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, a.Usage, c.want)
		}
	}
	a := wiretest.ReadBody(images.Format{}, asked, []byte(two+`,"usage":{"cost_in_usd_ticks":700000000}}`), wiretest.Whole)
	if a.Reported.Literal != "700000000" || a.Reported.Exponent != -10 || a.Usage.Units["image/1024x1024/hd"] != 2 {
		t.Errorf("%+v", a)
	}
	if a := wiretest.ReadBody(images.Format{}, asked, []byte(two), wiretest.Whole); a.Done || a.UsageSeen {
		t.Errorf("cut, and yet %+v", a)
	}
}

const completed = "event: image_generation.completed\ndata: {\"type\":\"image_generation.completed\",\"b64_json\":\"aGVsbG8=\",\"usage\":{\"input_tokens\":10,\"output_tokens\":272,\"total_tokens\":282}}\n\n"

const stream = "event: image_generation.partial_image\ndata: {\"type\":\"image_generation.partial_image\",\"b64_json\":\"aGVsbG8=\",\"partial_image_index\":0}\n\n" + completed

func TestStream(t *testing.T) {
	t.Parallel()
	one := &wire.Request{Operation: wire.ImageGeneration, Model: "gpt-image-1", Choices: 1}
	a := wiretest.ReadSSE(images.Format{}, one, []byte(stream), wiretest.Whole)
	if want := (wire.Usage{Input: 10, ImageOutput: 272, Requests: 1}); !reflect.DeepEqual(a.Usage, want) || !a.Done {
		t.Errorf("%+v", a)
	}
	wiretest.CutEverywhere(t, images.Format{}, one, stream)
	if a := wiretest.ReadSSE(images.Format{}, asked, []byte(stream), wiretest.Whole); a.Done {
		t.Error("done with one of two")
	}
	a = wiretest.ReadSSE(images.Format{}, asked, []byte(stream+completed), wiretest.Whole)
	if want := (wire.Usage{Input: 20, ImageOutput: 544, Requests: 1}); !reflect.DeepEqual(a.Usage, want) || !a.Done {
		t.Errorf("%+v", a)
	}
}

func FuzzRequest(f *testing.F) {
	wiretest.FuzzRequests(f, images.Format{}, wire.ImageGeneration, wire.Target{}, `{"prompt":"cat","model":"dall-e-3","n":2,"size":"1792x1024","quality":"hd","image":["a"]}`)
}

func FuzzForm(f *testing.F) {
	wiretest.FuzzRequests(f, images.Format{}, wire.ImageGeneration, wire.Target{ContentType: form},
		field("model", "m")+field("n", "3")+file("image[]", "png")+"--b--\r\n")
}

func FuzzBody(f *testing.F) {
	wiretest.FuzzBodies(f, images.Format{}, asked, `{"data":[{"url":"u"}],"size":"512x512","usage":{"input_tokens":14,"output_tokens":272}}`)
}

func FuzzStream(f *testing.F) {
	wiretest.FuzzStreams(f, images.Format{}, asked, stream+completed)
}
