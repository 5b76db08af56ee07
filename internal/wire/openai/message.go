package openai

import (
	"bytes"

	"github.com/farebox-go/farebox/internal/jsonwalk"
)

// messages reads the messages of a chat.
func (q *requestReader) messages() {
	if !q.r.Array() {
		q.refuse("messages", "an array")
		return
	}
	for q.r.Element() {
		q.Messages++
		if !q.r.Object() {
			q.refuse("messages", "an array of objects")
			continue
		}
		for q.r.Member() {
			q.messageMember()
		}
	}
}

func (q *requestReader) messageMember() {
	switch string(q.r.Key()) {
	case "role":
	case "content":
		q.content()
	case "cache_control":
		q.cacheControl()
	case "audio": // an earlier answer, named by its id
		q.Audios += present(&q.r)
	case "images": // pictures that the model made earlier
		if q.r.Array() {
			for q.r.Element() {
				q.Images++
			}
		}
	default: // name, refusal, reasoning, tool calls and what else goes back to the model as text
		q.TextBytes += textBytes(&q.r)
	}
}

// content reads what a message says: a text, or parts.
func (q *requestReader) content() {
	if !q.r.Array() {
		q.part()
		return
	}
	for q.r.Element() {
		q.part()
	}
}

// part reads one part of a message. What it is shows in its members, whatever its type says.
func (q *requestReader) part() {
	if !q.r.Object() {
		q.TextBytes += textBytes(&q.r)
		return
	}
	for q.r.Member() {
		switch string(q.r.Key()) {
		case "type", "prompt_cache_breakpoint":
		case "cache_control":
			q.cacheControl()
		case "image_url", "image", "input_image":
			q.Images += present(&q.r)
		case "input_audio", "audio_url", "audio":
			q.Audios += present(&q.r)
		case "video_url", "video", "input_video":
			q.Videos += present(&q.r)
		case "file", "document_url", "document", "input_file":
			q.Files += present(&q.r)
		default:
			q.TextBytes += textBytes(&q.r)
		}
	}
}

// cacheControl reads how long a cache is to live that is asked for: minutes, unless its ttl is in hours.
func (q *requestReader) cacheControl() {
	if !q.r.Object() {
		return
	}
	for q.r.Member() {
		if string(q.r.Key()) == "ttl" {
			ttl, _, _ := q.r.Text()
			q.LongCache = q.LongCache || bytes.HasSuffix(ttl, []byte("h"))
		}
	}
}

// present is 1 where the member that r stands at has a value.
func present(r *jsonwalk.Reader) int {
	if r.Kind() == jsonwalk.Null {
		return 0
	}
	return 1
}

// textBytes passes a value by and returns the most text that it can become: a string's own, of everything else but
// null the whole as it is written, since nobody knows how a provider puts it before the model.
func textBytes(r *jsonwalk.Reader) int64 {
	if n, ok := r.TextLen(); ok {
		return n
	}
	if r.Kind() == jsonwalk.Null {
		return 0
	}
	return int64(len(r.Raw()))
}
