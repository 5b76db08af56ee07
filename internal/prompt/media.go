package prompt

import (
	"bytes"
	"cmp"
	"encoding/base64"

	"github.com/farebox-go/farebox/internal/jsonwalk"
)

// What is known of media whose tokens nobody publishes a rule for.
const (
	tokensPerVideoByte = 1    // per thousand: 250 tokens a second, as Google counts, at two million bits
	tokensPerFileByte  = 25   // per thousand: a page of 1,000 tokens in 40,000 bytes
	pageTokens         = 1000 // of a document's page: its text and a picture of it
	fewestFileTokens   = pageTokens
)

// image reads an image: an address, or an object with one. Of both it may be said that little detail is to be seen.
func (c *counter) image(raw []byte, low bool) {
	r := jsonwalk.NewReader(raw)
	if len(raw) == 0 || r.Kind() == jsonwalk.Null {
		return
	}
	var address text
	if r.Object() {
		for r.Member() {
			switch string(r.Key()) {
			case "url", "data", "image_url":
				address = textOf(&r)
			case "detail":
				word, _, _ := r.Text()
				low = low || string(word) == "low"
			}
		}
	} else {
		address = textOf(&r)
	}
	c.addImage(address, low)
}

func (c *counter) addImage(address text, low bool) {
	rule := c.family.image
	width, height := addressSize(address)
	n := rule.tokens(width, height, low)
	if low && rule.kind == tiles {
		n = rule.base
	} else if width == 0 {
		c.unsized = true
	}
	c.media++
	c.size += n
	c.mostSize += rule.largest()
	if rule.kind == flat {
		c.flat++
	}
	c.unbounded = c.unbounded || rule.loose || rule.kind != tiles && rule.kind != patches && rule.kind != claudePatches
}

// addressSize reads the size of an image that is part of the body.
func addressSize(address text) (width, height int64) {
	var head [512]byte
	if width, height = imageSize(dataHead(head[:0], address, len(head))); width > 0 {
		return width, height
	}
	if len(address.raw) <= len(head) {
		return 0, 0
	}
	// What a camera notes down stands before the size.
	const far = 96 << 10
	return imageSize(dataHead(nil, address, far))
}

// dataHead appends the first bytes of what a data URL or a bare base64 text holds.
func dataHead(dst []byte, address text, most int) []byte {
	raw := address.raw
	if bytes.HasPrefix(raw, []byte("http")) {
		return dst
	}
	if i := bytes.IndexByte(raw[:min(len(raw), 256)], ','); i >= 0 {
		raw = raw[i+1:]
	}
	raw = raw[:min(len(raw), most*4/3)]
	if address.escaped {
		raw = bytes.ReplaceAll(raw, []byte(`\`), nil) // the only escape in base64 is that of a slash
	}
	n := len(raw) / 4 * 3
	dst = append(dst, make([]byte, n)...)
	m, _ := base64.StdEncoding.Decode(dst[len(dst)-n:], raw[:len(raw)/4*4])
	return dst[:len(dst)-n+m]
}

// sound reads a sound.
func (c *counter) sound() {
	if c.r.Kind() == jsonwalk.Null {
		return
	}
	data := c.memberText("data", "url")
	seconds, most := soundSeconds(data)
	c.media++
	c.size += seconds * c.family.sound
	c.mostSize += most * c.family.sound
	if c.family.sound == 0 || most == 0 || !c.family.own {
		c.unbounded = true
	}
}

// memberText reads a text, or an object that has it as a member of one of two names.
func (c *counter) memberText(one, other string) (t text) {
	if !c.r.Object() {
		return textOf(&c.r)
	}
	for c.r.Member() {
		if key := string(c.r.Key()); key == one || key == other {
			t = textOf(&c.r)
		}
	}
	return t
}

// file reads a file or a film, of whose tokens there is no bound.
func (c *counter) file(perThousand int64) {
	if c.r.Kind() == jsonwalk.Null {
		return
	}
	data := c.memberText("file_data", "data")
	c.media++
	c.unbounded = true
	if pages := pagesOf(data); pages > 0 {
		c.size += pages * cmp.Or(c.family.page, pageTokens)
		return
	}
	c.size += max(int64(len(data.raw))*3/4*perThousand/1000, fewestFileTokens)
}
