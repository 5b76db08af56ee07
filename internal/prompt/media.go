package prompt

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"

	"github.com/farebox-go/farebox/internal/jsonwalk"
)

// What is known of media whose tokens nobody publishes a rule for.
const (
	tokensPerVideoByte = 1     // per thousand: 250 tokens a second, as Google counts, at two million bits
	tokensPerFileByte  = 25    // per thousand: a page of 1,000 tokens in 40,000 bytes
	fewestFileTokens   = 1000  // a page
	soundBytes         = 16000 // in a second of compressed sound
	fewestSoundBytes   = 1000  // in a second of the most compressed
	linkedSound        = 60    // seconds of a sound behind a link
)

// image reads an image: an address, or an object with one and how much detail of it is to be seen.
func (c *counter) image() {
	if c.r.Kind() == jsonwalk.Null {
		return
	}
	var address text
	low := false
	if c.r.Object() {
		for c.r.Member() {
			switch string(c.r.Key()) {
			case "url", "data", "image_url":
				address = textOf(&c.r)
			case "detail":
				word, _, _ := c.r.Text()
				low = string(word) == "low"
			}
		}
	} else {
		address = textOf(&c.r)
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
	c.unbounded = c.unbounded || rule.kind != tiles && rule.kind != patches && rule.kind != claudePatches
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

// soundSeconds is how long a sound is likely to last and at most, which is 0 where nobody knows.
func soundSeconds(data text) (seconds, most int64) {
	if bytes.HasPrefix(data.raw, []byte("http")) || len(data.raw) == 0 {
		return linkedSound, 0
	}
	var room [64]byte
	size := int64(len(data.raw)) * 3 / 4
	head := dataHead(room[:0], data, 48)
	if len(head) >= 32 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WAVE" {
		if rate := int64(binary.LittleEndian.Uint32(head[28:])); rate >= fewestSoundBytes {
			n := ceilDiv(size-2, rate) // of base64 the last two bytes may be none
			return n, n
		}
	}
	return ceilDiv(size-2, soundBytes), ceilDiv(size, fewestSoundBytes)
}

// file reads a file or a film, of whose tokens there is no bound.
func (c *counter) file(perThousand int64) {
	if c.r.Kind() == jsonwalk.Null {
		return
	}
	data := c.memberText("file_data", "data")
	c.media++
	c.size += max(int64(len(data.raw))*3/4*perThousand/1000, fewestFileTokens)
	c.unbounded = true
}
