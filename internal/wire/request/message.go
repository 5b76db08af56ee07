package request

import (
	"bytes"

	"github.com/farebox-go/farebox/internal/jsonwalk"
)

// ReadMessages reads the messages of a chat.
func (q *Body) ReadMessages() {
	if !q.R.Array() {
		q.Refuse("messages", "an array")
		return
	}
	for q.R.Element() {
		q.Messages++
		if !q.R.Object() {
			q.Refuse("messages", "an array of objects")
			continue
		}
		for q.R.Member() {
			q.messageMember()
		}
	}
}

func (q *Body) messageMember() {
	switch string(q.R.Key()) {
	case "role":
	case "content":
		q.ReadContent()
	case "cache_control":
		q.ReadCacheControl()
	case "audio": // an earlier answer, named by its id
		q.Audios += present(&q.R)
	case "images": // pictures that the model made earlier
		if q.R.Array() {
			for q.R.Element() {
				q.Images++
			}
		}
	default: // name, refusal, reasoning, tool calls and what else goes back to the model as text
		q.TextBytes += TextBytes(&q.R)
	}
}

// ReadContent reads what a message says: a text, or parts.
func (q *Body) ReadContent() {
	if !q.R.Array() {
		q.ReadPart()
		return
	}
	for q.R.Element() {
		q.ReadPart()
	}
}

// ReadPart reads one part of a message. What it is shows in its members, whatever its type says.
func (q *Body) ReadPart() {
	if !q.R.Object() {
		q.TextBytes += TextBytes(&q.R)
		return
	}
	for q.R.Member() {
		switch string(q.R.Key()) {
		case "type", "prompt_cache_breakpoint":
		case "cache_control", "cachePoint": // Bedrock names the mark itself
			q.ReadCacheControl()
		case "image_url", "image", "input_image":
			q.Images += present(&q.R)
		case "input_audio", "audio_url", "audio":
			q.Audios += present(&q.R)
		case "video_url", "video", "input_video":
			q.Videos += present(&q.R)
		case "file", "document_url", "document", "input_file":
			q.Files += present(&q.R)
		default:
			q.TextBytes += TextBytes(&q.R)
		}
	}
}

// ReadCacheControl reads how long a cache is to live that is asked for: minutes, unless its ttl is in hours.
func (q *Body) ReadCacheControl() {
	if !q.R.Object() {
		return
	}
	for q.R.Member() {
		if string(q.R.Key()) == "ttl" {
			ttl, _, _ := q.R.Text()
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

// TextBytes passes a value by and returns the most text that it can become: a string's own, of everything else but
// null the whole as it is written, since nobody knows how a provider puts it before the model.
func TextBytes(r *jsonwalk.Reader) int64 {
	if n, ok := r.TextLen(); ok {
		return n
	}
	if r.Kind() == jsonwalk.Null {
		return 0
	}
	return int64(len(r.Raw()))
}
