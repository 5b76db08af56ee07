package request

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
)

// maxField bounds the fields of a form whose text is kept, in bytes.
const maxField = 1 << 20

// Form reads a body of multipart/form-data. field is handed each of its parts: the text of a field, or the content of a file,
// which is valid during the call only.
func Form(format, contentType string, body []byte, field func(name string, file bool, content []byte)) error {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return errors.New(format + ": the request body is neither JSON nor multipart/form-data with a boundary")
	}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	var content bytes.Buffer
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: request body: a part of the form is broken", format)
		}
		content.Reset()
		if _, err := content.ReadFrom(part); err != nil {
			return fmt.Errorf("%s: request body: the form ends early", format)
		}
		file := part.FileName() != ""
		if !file && content.Len() > maxField {
			return fmt.Errorf("%s: request body: a field of the form is longer than %d bytes", format, maxField)
		}
		field(part.FormName(), file, content.Bytes())
	}
}

// IsForm says whether a body is a form by its content type.
func IsForm(contentType string) bool {
	kind, _, _ := mime.ParseMediaType(contentType)
	return kind == "multipart/form-data"
}
