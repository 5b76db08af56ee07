package audio_test

import (
	"encoding/base64"
	"encoding/binary"
	"reflect"
	"strings"
	"testing"

	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/audio"
	"github.com/farebox-go/farebox/internal/wire/wiretest"
)

func TestRecognise(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]wire.Operation{
		"/v1/audio/speech": wire.Speech, "/v1/audio/transcriptions": wire.Transcription, "/v1/audio/translations": wire.Transcription,
		"/openai/deployments/d/audio/speech": wire.Speech, "/v1/audio": "", "/v1/speech": "", "/v1/audio/voices": "",
	} {
		route, ok := audio.Format{}.Recognise(wire.Target{Method: "POST", Path: path})
		if ok != (want != "") || route != (wire.Route{Operation: want}) {
			t.Errorf("%s: %+v, %v", path, route, ok)
		}
	}
}

const form = "multipart/form-data; boundary=b"

func field(name, value string) string {
	return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
}

func file(content string) string {
	return "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n" + content + "\r\n"
}

// wav is two seconds of silence.
func wav() string {
	head := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x00\x00\x00\x00\x02\x00\x10\x00data\x00\x7d\x00\x00")
	binary.LittleEndian.PutUint32(head[28:], 16_000) // bytes per second
	return string(head) + strings.Repeat("\x00", 32_000)
}

func TestReadRequest(t *testing.T) {
	t.Parallel()
	units := func(name string, n int64) map[string]int64 { return map[string]int64{name: n} }
	ms := int64(len(wav()))*1000/16_000 + 1
	encoded := base64.StdEncoding.EncodeToString([]byte(wav()))
	for name, c := range map[string]struct {
		op         wire.Operation
		kind, body string
		want       wire.Request
	}{
		"speech, in characters": {wire.Speech, "", `{"model":"tts-1","input":"h\u00e9llo","voice":"alloy"}`,
			wire.Request{Model: "tts-1", TextBytes: 6, Units: units("character", 5)}},
		"speech as events": {wire.Speech, "", `{"model":"m","input":"a","instructions":"slowly","stream_format":"sse"}`,
			wire.Request{Model: "m", TextBytes: 7, Stream: true, Units: units("character", 1)}},
		"a WAV file": {wire.Transcription, form, field("model", "whisper-1") + field("prompt", "abc") + file(wav()) + "--b--\r\n",
			wire.Request{Model: "whisper-1", TextBytes: 3, Audios: 1, Units: units("audio_ms", ms)}},
		"another file": {wire.Transcription, form, field("model", "m") + field("stream", "true") + file(strings.Repeat("x", 999)) + "--b--\r\n",
			wire.Request{Model: "m", Audios: 1, Stream: true, Units: units("audio_ms", 999)}},
		"in the body": {wire.Transcription, "", `{"model":"m","input_audio":{"data":"` + encoded + `","format":"wav"}}`,
			wire.Request{Model: "m", Audios: 1, Units: units("audio_ms", int64(base64.StdEncoding.DecodedLen(len(encoded)))*1000/16_000+1)}},
	} {
		got, err := audio.Format{}.ReadRequest(c.op, wire.Target{ContentType: c.kind}, []byte(c.body))
		c.want.Operation, c.want.Inputs, c.want.Choices, c.want.IncludeUsage = c.op, 1, 1, true
		c.want.AudioOutput = c.op == wire.Speech
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", name, got, err, c.want)
		}
	}
}

// TestSpeech: sound says nothing; what was asked for is charged, however little of it is read.
func TestSpeech(t *testing.T) {
	t.Parallel()
	of := &wire.Request{Operation: wire.Speech, Units: map[string]int64{"character": 5}}
	a := wiretest.ReadBody(audio.Format{}, of, []byte("\xff\xf3\x40{\x00"), wiretest.Whole)
	if want := (wire.Usage{Requests: 1, Units: map[string]int64{"character": 5}}); !a.UsageSeen || !a.Done || !reflect.DeepEqual(a.Usage, want) {
		t.Errorf("%+v", a)
	}
	stream := "data: {\"type\":\"speech.audio.delta\",\"audio\":\"AAAA\"}\n\ndata: {\"type\":\"speech.audio.done\",\"usage\":{\"input_tokens\":7,\"output_tokens\":40,\"total_tokens\":47}}\n\n"
	a = wiretest.ReadSSE(audio.Format{}, of, []byte(stream), wiretest.Whole)
	if want := (wire.Usage{Input: 7, AudioOutput: 40, Requests: 1}); !a.UsageSeen || !a.Done || !reflect.DeepEqual(a.Usage, want) {
		t.Errorf("%+v", a)
	}
	wiretest.CutEverywhere(t, audio.Format{}, of, stream)
}

func TestTranscripts(t *testing.T) {
	t.Parallel()
	of := &wire.Request{Operation: wire.Transcription}
	timed := func(ms int64) wire.Usage {
		return wire.Usage{Requests: 1, Units: map[string]int64{"audio_ms": ms}}
	}
	for name, c := range map[string]struct {
		body string
		want wire.Usage
	}{
		"tokens": {`{"text":"Hello","usage":{"type":"tokens","total_tokens":30,"input_tokens":26,"input_token_details":{"text_tokens":5,"audio_tokens":21},"output_tokens":4}}`,
			wire.Usage{Input: 5, AudioInput: 21, Output: 4, Requests: 1}},
		"time":                {`{"text":"Hello","usage":{"type":"duration","seconds":6}}`, timed(6000)},
		"a fraction":          {`{"text":"Hello","usage":{"type":"duration","seconds":5.4959}}`, timed(5496)},
		"verbose":             {`{"task":"transcribe","duration":5.495999813079834,"text":"Hello"}`, timed(5496)},
		"tokens that are all": {`{"text":"a","usage":{"cost":0.0006,"seconds":6,"total_tokens":0,"input_tokens":0,"output_tokens":0}}`, timed(6000)},
	} {
		a := wiretest.ReadBody(audio.Format{}, of, []byte(c.body), wiretest.Whole)
		if !a.UsageSeen || !a.Done || !reflect.DeepEqual(a.Usage, c.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, a.Usage, c.want)
		}
	}
	a := wiretest.ReadBody(audio.Format{}, of, []byte(`{"text":"a","usage":{"cost":0.0006,"seconds":6}}`), wiretest.Whole)
	if a.Reported.Literal != "0.0006" || !reflect.DeepEqual(a.Usage, timed(6000)) {
		t.Errorf("%+v", a)
	}
	for _, body := range []string{`{"text":"Hello"}`, "1\n00:00:00,000 --> 00:00:02,000\nHello\n", "Hello", `{"text":"a","usage":{"seconds":-1}}`, `{"text":"a","usage":{"seconds":1e99}}`} {
		if a := wiretest.ReadBody(audio.Format{}, of, []byte(body), wiretest.Whole); a.UsageSeen || a.TextBytes == 0 {
			t.Errorf("%q: %+v", body, a)
		}
	}
	stream := "data: {\"type\":\"transcript.text.delta\",\"delta\":\"Hello\"}\n\ndata: {\"type\":\"transcript.text.done\",\"text\":\"Hello\",\"usage\":{\"type\":\"tokens\",\"input_tokens\":26,\"input_token_details\":{\"audio_tokens\":26},\"output_tokens\":4,\"total_tokens\":30}}\n\n"
	a = wiretest.ReadSSE(audio.Format{}, of, []byte(stream), wiretest.Whole)
	if want := (wire.Usage{AudioInput: 26, Output: 4, Requests: 1}); !a.Done || !reflect.DeepEqual(a.Usage, want) || a.TextBytes != 5 {
		t.Errorf("%+v", a)
	}
}

func FuzzRequest(f *testing.F) {
	wiretest.FuzzRequests(f, audio.Format{}, wire.Speech, wire.Target{}, `{"model":"m","input":"h\u00e9","instructions":"slowly","stream_format":"sse","input_audio":{"data":"UklGRg=="}}`)
}

func FuzzForm(f *testing.F) {
	wiretest.FuzzRequests(f, audio.Format{}, wire.Transcription, wire.Target{ContentType: form}, field("model", "m")+file(wav()[:60])+"--b--\r\n")
}

func FuzzBody(f *testing.F) {
	wiretest.FuzzBodies(f, audio.Format{}, &wire.Request{Operation: wire.Transcription},
		`{"text":"Hello","duration":5.5,"usage":{"type":"duration","seconds":6,"input_token_details":{"audio_tokens":21}}}`, "Hello")
}

func FuzzStream(f *testing.F) {
	wiretest.FuzzStreams(f, audio.Format{}, &wire.Request{Operation: wire.Speech},
		"data: {\"type\":\"speech.audio.done\",\"usage\":{\"input_tokens\":7,\"output_tokens\":40,\"total_tokens\":47}}\n\n")
}
