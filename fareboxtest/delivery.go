package fareboxtest

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// delivery sends one answer, as damaged as its fault says.
type delivery struct {
	provider *Provider
	w        http.ResponseWriter
	ctx      context.Context
	fault    *Fault
	array    bool // the stream is the elements of one JSON array, as Gemini's is where nobody asks for events
	left     bool // the caller has gone before the answer began, or the provider was closed
}

// wait waits for a gate to open; a nil gate is open. It says whether the caller is still there.
func (d *delivery) wait(gate <-chan struct{}) bool {
	if gate == nil {
		return true
	}
	select {
	case <-gate:
		return true
	case <-d.ctx.Done():
	case <-d.provider.closed:
	}
	return false
}

// sleep waits; it says whether the caller is still there.
func (d *delivery) sleep(t time.Duration) bool {
	if t <= 0 {
		return true
	}
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-d.ctx.Done():
	case <-d.provider.closed:
	}
	return false
}

// breakOff breaks the connection. What has been written is on its way; the panic is net/http's way to say that nothing
// else shall be, and is caught by it.
func (d *delivery) breakOff() {
	d.flush()
	panic(http.ErrAbortHandler)
}

func (d *delivery) flush() { _ = http.NewResponseController(d.w).Flush() }

// head sends the head of an answer.
func (d *delivery) head(status int, contentType string, header http.Header) {
	if d.left || d.fault.Cut.place == cutBeforeHead {
		panic(http.ErrAbortHandler)
	}
	out := d.w.Header()
	out.Set("Content-Type", contentType)
	for _, more := range [...]http.Header{header, d.fault.Header} {
		for name, values := range more {
			out[http.CanonicalHeaderKey(name)] = values
		}
	}
	d.w.WriteHeader(status)
	if d.fault.Cut.place == cutAfterHead {
		d.breakOff()
	}
	if d.fault.DelayBody > 0 {
		d.flush()
		d.sleep(d.fault.DelayBody)
	}
}

// write sends bytes of a body; it says whether the caller is still there.
func (d *delivery) write(data []byte) bool {
	if !d.fault.OneByte {
		_, err := d.w.Write(data)
		return err == nil && d.ctx.Err() == nil
	}
	for i := range data {
		if _, err := d.w.Write(data[i : i+1]); err != nil || d.ctx.Err() != nil {
			return false
		}
		d.flush()
	}
	return true
}

// sendJSON sends an answer that is no stream.
func (d *delivery) sendJSON(header http.Header, body []byte) {
	d.head(http.StatusOK, "application/json", header)
	body = d.pad(body)
	if d.fault.Malformed {
		body = body[:len(body)-len(body)/3]
	}
	if d.provider.style == OpenRouter {
		// OpenRouter keeps a connection alive with white space in front of the JSON.
		d.write([]byte("\n" + strings.Repeat("         \n", 1+d.fault.KeepAlives)))
		d.flush()
	}
	if place := d.fault.Cut.place; place == cutAfterChunks || place == cutInChunk {
		d.write(body[:len(body)/2])
		d.breakOff()
	}
	d.write(body)
}

// pad makes a JSON object longer without changing what it says.
func (d *delivery) pad(object []byte) []byte {
	if d.fault.Padding <= 0 || !bytes.HasSuffix(object, []byte("}")) {
		return object
	}
	const open, closing = `,"padding":"`, `"}`
	padded := append(object[:len(object)-1:len(object)-1], open...)
	padded = append(padded, bytes.Repeat([]byte("x"), max(d.fault.Padding-len(open)-1, 0))...)
	return append(padded, closing...)
}

// sendStream sends a stream, and says how many of its events have been sent when it ends.
func (d *delivery) sendStream(header http.Header, a *answer, events []event) (sent int) {
	contentType := "text/event-stream"
	if d.array = a.call.array; d.array {
		contentType = "application/json"
	}
	d.head(http.StatusOK, contentType, header)
	d.comments(d.provider.style == OpenRouter)
	f := d.fault
	for i, e := range events {
		d.cutAt(i, e.data)
		if i > 0 && !d.sleep(f.DelayChunk) {
			return i
		}
		if f.Status != 0 && f.ErrorAfter > 0 && i == min(f.ErrorAfter, len(events)-1) {
			d.streamError(a, events)
			return i
		}
		d.comments(false)
		data := e.data
		if i == 0 {
			data = d.pad(data)
		}
		if f.Malformed && i == len(events)-1 {
			data = data[:len(data)-len(data)/3]
		}
		terminator := a.terminator()
		last := i == len(events)-1 && (f.NoDone || terminator.data == nil)
		if !d.write(d.frame(event{name: e.name, data: data, first: i == 0}, last)) {
			return i
		}
		d.flush()
	}
	d.cutAt(len(events), nil)
	if terminator := a.terminator(); !f.NoDone && terminator.data != nil {
		d.write(d.frame(terminator, true))
	}
	if d.array && !f.NoDone {
		d.write([]byte("]"))
	}
	return len(events)
}

// cutAt breaks the connection if the fault says so, with i events sent and next to come.
func (d *delivery) cutAt(i int, next []byte) {
	cut := d.fault.Cut
	atEnd := next == nil && cut.chunks > i
	switch {
	case cut.place != cutAfterChunks && cut.place != cutInChunk, cut.chunks != i && !atEnd:
		return
	case cut.place == cutInChunk:
		d.write(append([]byte("data: "), next[:len(next)/2]...))
	}
	d.breakOff()
}

// comments sends the comments that keep a stream alive.
func (d *delivery) comments(one bool) {
	n := d.fault.KeepAlives
	if one {
		n++
	}
	text := ": keep-alive\n\n"
	if d.provider.style == OpenRouter {
		text = ": OPENROUTER PROCESSING\n\n"
	}
	if n > 0 && !d.array {
		d.write(d.newlines([]byte(strings.Repeat(text, n))))
		d.flush()
	}
}

// frame makes bytes of an event. last says that nothing follows.
func (d *delivery) frame(e event, last bool) []byte {
	data := e.data
	if d.array {
		return append([]byte(map[bool]string{true: "[", false: ",\r\n"}[e.first]), data...)
	}
	if d.fault.SplitData {
		var split bytes.Buffer
		if json.Indent(&split, data, "", " ") == nil {
			data = bytes.ReplaceAll(split.Bytes(), []byte("\n"), []byte("\ndata: "))
		}
	}
	var framed []byte
	if e.name != "" {
		framed = append(append(append(framed, "event: "...), e.name...), '\n')
	}
	framed = append(append(framed, "data: "...), data...)
	if !last || !d.fault.NoFinalNewline {
		framed = append(framed, "\n\n"...)
	}
	return d.newlines(framed)
}

func (d *delivery) newlines(text []byte) []byte {
	if d.fault.CRLF {
		return bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
	}
	return text
}
