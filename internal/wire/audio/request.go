package audio

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"math"
	"unicode/utf8"

	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/request"
)

// ReadRequest implements [wire.Format]. Units hold the characters to speak, or a bound on the time to listen to.
func (Format) ReadRequest(op wire.Operation, to wire.Target, body []byte) (wire.Request, error) {
	var r wire.Request
	var err error
	if request.IsForm(to.ContentType) {
		r.Operation = op
		err = request.Form("audio", to.ContentType, body, func(name string, file bool, content []byte) {
			field(&r, name, file, content)
		})
	} else {
		q := request.New("audio", op, body)
		for q.Member() {
			member(&q)
		}
		r, err = q.Request, q.Err()
	}
	if r.Model == "" {
		r.Model = wire.SegmentAfter(to.Path, "deployments")
	}
	r.Inputs, r.Choices, r.IncludeUsage = 1, 1, true
	r.AudioOutput = op == wire.Speech
	return r, err
}

func member(q *request.Body) {
	switch string(q.R.Key()) {
	case "model":
		q.Model = q.Text("model")
	case "input":
		speak(q)
	case "instructions", "prompt":
		q.TextBytes += request.TextBytes(&q.R)
	case "stream_format":
		q.Stream = q.Text("stream_format") == "sse"
	case "stream":
		q.Stream = q.R.True()
	case "input_audio": // as OpenRouter takes it
		listen(q)
	}
}

// speak counts the text that is to be spoken: in bytes, which bound its tokens, and in characters, which some models charge.
func speak(q *request.Body) {
	text := q.Text("input")
	q.TextBytes += int64(len(text))
	if n := utf8.RuneCountInString(text); n > 0 {
		addUnit(&q.Request, wire.UnitCharacter, int64(n))
	}
}

// listen bounds a recording that stands in the body.
func listen(q *request.Body) {
	if !q.R.Object() {
		return
	}
	for q.R.Member() {
		if string(q.R.Key()) != "data" {
			continue
		}
		encoded, _, ok := q.R.Text()
		if !ok {
			continue
		}
		head := make([]byte, wavHead)
		n, _ := base64.StdEncoding.Decode(head, encoded[:min(len(encoded), wavHead/3*4)])
		hear(&q.Request, head[:n], int64(base64.StdEncoding.DecodedLen(len(encoded))))
	}
}

func field(r *wire.Request, name string, file bool, content []byte) {
	switch {
	case file:
		hear(r, content[:min(len(content), wavHead)], int64(len(content)))
	case name == "model":
		r.Model = string(content)
	case name == "prompt":
		r.TextBytes += int64(len(content))
	case name == "stream":
		r.Stream = string(content) == "true"
	}
}

// hear takes note of a recording: how long it can be at most.
func hear(r *wire.Request, head []byte, size int64) {
	r.Audios++
	ms, known := wavMilliseconds(head, size)
	if !known {
		// The lowest rate in common use is 8 kbit/s, of MP3: a byte lasts no longer than a millisecond.
		ms = size
	}
	addUnit(r, wire.UnitAudioMS, max(ms, 1))
}

// wavHead is how much of a file is looked at.
const wavHead = 3 << 10

// wavMilliseconds is how long a WAV file lasts, by the bytes per second that its format states; known is false where the file
// is something else.
func wavMilliseconds(head []byte, size int64) (ms int64, known bool) {
	if len(head) < 36 || string(head[:4]) != "RIFF" || string(head[8:12]) != "WAVE" {
		return 0, false
	}
	at := bytes.Index(head, []byte("fmt "))
	if at < 0 || len(head) < at+20 {
		return 0, false
	}
	perSecond := int64(binary.LittleEndian.Uint32(head[at+16:]))
	if perSecond == 0 || size > math.MaxInt64/1000 {
		return 0, false
	}
	return size*1000/perSecond + 1, true
}

func addUnit(r *wire.Request, name string, n int64) {
	if r.Units == nil {
		r.Units = make(map[string]int64, 1)
	}
	r.Units[name] += n
}
