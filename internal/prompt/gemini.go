package prompt

import (
	"bytes"

	"github.com/farebox-go/farebox/internal/jsonwalk"
)

// geminiMember reads a member of a request to Google's generateContent. Members may be written in lower camel case or
// with underscores.
func (c *counter) geminiMember() {
	switch string(c.r.Key()) {
	case "systemInstruction", "system_instruction":
		if c.present() {
			c.system = true
			c.contents()
		}
	case "contents":
		if c.r.Kind() == jsonwalk.Object { // which is taken for a list of one
			c.contents()
			return
		}
		c.each(c.contents)
	case "tools":
		c.each(c.geminiTool)
	case "toolConfig", "tool_config":
		c.geminiToolConfig()
	case "generationConfig", "generation_config":
		c.generation()
	case "cachedContent", "cached_content":
		c.unbounded = c.unbounded || c.present()
	}
}

// contents reads a turn of the conversation.
func (c *counter) contents() {
	c.messages++
	if !c.r.Object() {
		c.plain += c.tally.read(&c.r)
		return
	}
	for c.r.Member() {
		if string(c.r.Key()) != "parts" {
			continue
		}
		if c.r.Kind() == jsonwalk.Object {
			c.geminiPart()
			continue
		}
		c.each(c.geminiPart)
	}
}

func (c *counter) geminiPart() {
	if !c.r.Object() {
		c.plain += c.tally.read(&c.r)
		return
	}
	resolution, before := unspecified, c.flat
	for c.r.Member() {
		switch string(c.r.Key()) {
		case "text":
			c.plain += c.tally.read(&c.r)
		case "functionCall", "function_call":
			c.geminiCall()
		case "functionResponse", "function_response":
			c.geminiResponse()
		case "inlineData", "inline_data", "fileData", "file_data":
			c.inlineData()
		case "mediaResolution", "media_resolution":
			if c.r.Object() {
				for c.r.Member() {
					if string(c.r.Key()) == "level" {
						resolution = resolutionOf(textOf(&c.r))
					}
				}
			}
		case "thoughtSignature", "thought_signature":
			c.unheard += int64(len(c.r.Raw()))
		case "executableCode", "executable_code", "codeExecutionResult", "code_execution_result":
			c.plain += c.tally.read(&c.r)
		}
	}
	if resolution != unspecified { // which goes before what is said of all images
		images := c.flat - before
		c.size += images * c.family.image.differs(resolution)
		c.flat -= images
	}
}

func (c *counter) geminiCall() {
	if !c.r.Object() {
		return
	}
	c.calls++
	for c.r.Member() {
		switch string(c.r.Key()) {
		case "name":
			n := c.tally.read(&c.r)
			c.plain, c.callNames = c.plain+n, c.callNames+n
		case "args":
			c.plain += c.json()
		}
	}
}

func (c *counter) geminiResponse() {
	if !c.r.Object() {
		return
	}
	for c.r.Member() {
		switch string(c.r.Key()) {
		case "response":
			c.plain += c.json()
		case "parts":
			c.each(c.geminiPart)
		}
	}
}

// geminiTool reads a tool: functions, or something that Google runs.
func (c *counter) geminiTool() {
	if !c.r.Object() {
		return
	}
	for c.r.Member() {
		switch string(c.r.Key()) {
		case "functionDeclarations", "function_declarations":
			c.offered()
		default:
			c.unbounded = c.unbounded || c.present()
		}
	}
}

func (c *counter) geminiToolConfig() {
	if !c.r.Object() {
		return
	}
	for c.r.Member() {
		switch string(c.r.Key()) {
		case "functionCallingConfig", "function_calling_config":
			c.choose("mode")
		}
	}
}

// generation reads how the answer is to be made.
func (c *counter) generation() {
	if !c.r.Object() {
		return
	}
	for c.r.Member() {
		switch string(c.r.Key()) {
		case "responseSchema", "response_schema", "responseJsonSchema", "response_json_schema":
			c.unheard += int64(len(c.r.Raw())) // it steers how the answer is made, and is not shown to the model
		case "mediaResolution", "media_resolution":
			c.resolution = resolutionOf(textOf(&c.r))
		}
	}
}

// inlineData reads something that is sent along, by its type.
func (c *counter) inlineData() {
	raw := c.r.Raw()
	outer := c.r
	defer func() { c.r = outer }()
	c.r = jsonwalk.NewReader(raw)
	kind := c.memberText("mimeType", "mime_type")
	c.r = jsonwalk.NewReader(raw)
	switch media, _, _ := bytes.Cut(kind.raw, []byte("/")); string(media) {
	case "image":
		c.image(raw, false)
	case "audio":
		c.sound()
	case "video":
		c.file(tokensPerVideoByte)
	default:
		c.file(tokensPerFileByte)
	}
}
