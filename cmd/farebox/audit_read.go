package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"time"
)

// exchange is a request and its answer, as HAR 1.2 has them or as farebox's recordings have.
type exchange struct {
	Started time.Time `json:"startedDateTime"`
	TookMS  float64   `json:"time"`
	Request struct {
		Method   string          `json:"method"`
		URL      string          `json:"url"`
		Headers  headers         `json:"headers"`
		Body     json.RawMessage `json:"body"`
		PostData *struct {
			MimeType string `json:"mimeType"`
			Text     string `json:"text"`
		} `json:"postData"`
	} `json:"request"`
	Response struct {
		Status  int     `json:"status"`
		Headers headers `json:"headers"`
		Content *struct {
			MimeType string `json:"mimeType"`
			Text     string `json:"text"`
			Encoding string `json:"encoding"`
		} `json:"content"`
		Body        json.RawMessage `json:"body"`
		SSE         *string         `json:"sse"`
		NDJSON      *string         `json:"ndjson"`
		EventStream []byte          `json:"eventstream_base64"`
		Text        *string         `json:"text"`
	} `json:"response"`
}

// headers are an object of names and values, or HAR's list of them.
type headers http.Header

// UnmarshalJSON reads either form. HTTP/2's pseudo headers are no headers.
func (h *headers) UnmarshalJSON(data []byte) error {
	*h = headers{}
	add := func(name, value string) {
		if !strings.HasPrefix(name, ":") {
			http.Header(*h).Add(name, value)
		}
	}
	if bytes.HasPrefix(data, []byte("[")) {
		var list []struct{ Name, Value string }
		err := json.Unmarshal(data, &list)
		for _, header := range list {
			add(header.Name, header.Value)
		}
		return err
	}
	var object map[string]any
	err := json.Unmarshal(data, &object)
	for name, value := range object {
		switch value := value.(type) {
		case string:
			add(name, value)
		case []any:
			for _, v := range value {
				add(name, fmt.Sprint(v))
			}
		}
	}
	return err
}

// at is when the exchange took place; zero: it does not say.
func (x *exchange) at() time.Time {
	if !x.Started.IsZero() {
		return x.Started
	}
	at, err := http.ParseTime(http.Header(x.Response.Headers).Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return at
}

// took is how long the exchange took; 0: it does not say.
func (x *exchange) took() time.Duration { return time.Duration(x.TookMS * float64(time.Millisecond)) }

// request is the exchange's request, ready to be sent again.
func (x *exchange) request(ctx context.Context) (*http.Request, error) {
	body, contentType, err := x.requestBody()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, x.Request.Method, x.Request.URL, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("its request has no method and URL that make sense")
	}
	if req.URL.Host == "" || (req.URL.Scheme != "http" && req.URL.Scheme != "https") {
		return nil, errors.New(`the URL of its request is not absolute: want one like "https://api.openai.com/v1/responses"`)
	}
	req.Header = http.Header(x.Request.Headers).Clone()
	if req.Header == nil {
		req.Header = http.Header{}
	}
	req.Header.Del("Content-Length")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return req, nil
}

func (x *exchange) requestBody() (body []byte, contentType string, err error) {
	if data := x.Request.PostData; data != nil {
		return []byte(data.Text), data.MimeType, nil
	}
	var form struct {
		Fields map[string]any `json:"_multipart"`
	}
	if json.Unmarshal(x.Request.Body, &form) == nil && form.Fields != nil {
		return multipartBody(form.Fields)
	}
	return plainText(x.Request.Body), "", nil
}

// multipartBody puts the fields of a form together again. Of files there is a note only.
func multipartBody(fields map[string]any) (body []byte, contentType string, err error) {
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for name, value := range fields {
		if err := w.WriteField(name, fmt.Sprint(value)); err != nil {
			return nil, "", err
		}
	}
	err = w.Close()
	return buf.Bytes(), w.FormDataContentType(), err
}

// plainText is a body that was recorded as JSON, or as a text.
func plainText(body json.RawMessage) []byte {
	var text string
	switch {
	case len(body) == 0 || string(body) == "null":
		return nil
	case json.Unmarshal(body, &text) == nil:
		return []byte(text)
	}
	return body
}

// errUnanswered is the outcome of an exchange that was recorded without an answer.
var errUnanswered = errors.New("the exchange has no answer")

// response is the exchange's answer. Its body was decoded when it was recorded.
func (x *exchange) response(req *http.Request) (*http.Response, error) {
	if x.Response.Status <= 0 {
		return nil, errUnanswered
	}
	header := http.Header(x.Response.Headers).Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Del("Content-Encoding")
	header.Del("Content-Length")
	body, contentType := x.responseBody()
	if header.Get("Content-Type") == "" && contentType != "" {
		header.Set("Content-Type", contentType)
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", x.Response.Status, http.StatusText(x.Response.Status)), StatusCode: x.Response.Status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, ContentLength: -1,
		Body: io.NopCloser(bytes.NewReader(body)), Request: req,
	}, nil
}

func (x *exchange) responseBody() (body []byte, contentType string) {
	r := &x.Response
	switch {
	case r.Content != nil:
		if r.Content.Encoding == "base64" {
			if decoded, err := base64.StdEncoding.DecodeString(r.Content.Text); err == nil {
				return decoded, r.Content.MimeType
			}
		}
		return []byte(r.Content.Text), r.Content.MimeType
	case r.SSE != nil:
		return []byte(*r.SSE), "text/event-stream"
	case r.NDJSON != nil:
		return []byte(*r.NDJSON), "application/x-ndjson"
	case r.EventStream != nil:
		return r.EventStream, "application/vnd.amazon.eventstream"
	case r.Text != nil:
		return []byte(*r.Text), ""
	}
	return plainText(r.Body), "application/json"
}

// maxExchange is the longest exchange that is read: it is in memory as a whole, the file is not.
const maxExchange = 256 << 20

var errNoExchanges = errors.New(`no exchanges: want HAR ({"log":{"entries":[…]}}), or {"request":{…},"response":{…}} one by one, in an array or under "exchanges"`)

// readExchanges reads a file piece by piece, and hands on each of its exchanges.
func readExchanges(source io.Reader, each func(*exchange) error) error {
	r := &exchangeReader{each: each}
	r.limited = &io.LimitedReader{R: source, N: maxExchange}
	r.json = json.NewDecoder(r.limited)
	for {
		err := r.value()
		switch {
		case errors.Is(err, io.EOF) && r.limited.N <= 0:
			return fmt.Errorf("an exchange is longer than %d MiB", maxExchange>>20)
		case errors.Is(err, io.EOF) && r.found == 0:
			return errNoExchanges
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, io.ErrUnexpectedEOF) && r.limited.N <= 0:
			return fmt.Errorf("an exchange is longer than %d MiB", maxExchange>>20)
		case err != nil:
			return fmt.Errorf("after %d exchanges: %w", r.found, err)
		}
	}
}

// exchangeReader walks through JSON and picks the exchanges out of it.
type exchangeReader struct {
	json    *json.Decoder
	limited *io.LimitedReader
	each    func(*exchange) error
	found   int
}

// value reads one value of the file's own level: an object, or an array of exchanges.
func (r *exchangeReader) value() error {
	token, err := r.json.Token()
	switch {
	case err != nil:
		return err
	case token == json.Delim('['):
		return r.list()
	case token == json.Delim('{'):
		return r.object(true)
	}
	return fmt.Errorf("a %T where an object or an array was wanted: %w", token, errNoExchanges)
}

// object reads what is left of an object: one that holds exchanges or, at the file's own level, is one.
func (r *exchangeReader) object(mayBeOne bool) error {
	members := map[string]json.RawMessage{}
	for r.json.More() {
		name, err := r.json.Token()
		if err != nil {
			return err
		}
		switch {
		case name == "log" || name == "entries" || name == "exchanges":
			if err := r.inside(); err != nil {
				return err
			}
		default:
			var raw json.RawMessage
			if err := r.json.Decode(&raw); err != nil {
				return err
			}
			if mayBeOne {
				members[name.(string)] = raw
			}
		}
	}
	if _, err := r.json.Token(); err != nil { // the closing brace
		return err
	}
	if members["request"] == nil || members["response"] == nil {
		return nil
	}
	var x exchange
	whole, err := json.Marshal(members)
	if err == nil {
		err = json.Unmarshal(whole, &x)
	}
	return errors.Join(err, r.hand(&x))
}

// inside goes into a member that holds exchanges.
func (r *exchangeReader) inside() error {
	token, err := r.json.Token()
	switch {
	case err != nil:
		return err
	case token == json.Delim('{'):
		return r.object(false)
	case token == json.Delim('['):
		return r.list()
	}
	return nil
}

// list reads the exchanges of an array.
func (r *exchangeReader) list() error {
	for r.json.More() {
		var x exchange
		if err := r.json.Decode(&x); err != nil {
			return err
		}
		if err := r.hand(&x); err != nil {
			return err
		}
	}
	_, err := r.json.Token()
	return err
}

func (r *exchangeReader) hand(x *exchange) error {
	r.found++
	r.limited.N = maxExchange
	return r.each(x)
}
