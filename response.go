package farebox

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	openai "github.com/sashabaranov/go-openai"
)

// Outcome is what farebox adds to an answer: what it cost, and the answer as it was sent.
type Outcome struct {
	// Cost is what the whole call cost: every attempt that was charged, failed ones and fallbacks included.
	Cost Money
	// Receipt is that of the attempt that served; Receipts has every attempt's, in order.
	Receipt  Receipt
	Receipts []Receipt
	// Raw is the answer's JSON as the provider sent it, with whatever go-openai's types have no field for; of an answer that
	// was streamed for [WithStreamedAnswers], as it was put together.
	Raw json.RawMessage
}

func (o *Outcome) fill(receipts []Receipt) {
	o.Receipts = receipts
	o.Cost = CostOf(receipts)
	if len(receipts) > 0 {
		o.Receipt = receipts[len(receipts)-1]
	}
}

// ChatCompletionResponse is go-openai's, and what it cost.
type ChatCompletionResponse struct {
	openai.ChatCompletionResponse
	Outcome `json:"-"`
}

// CompletionResponse is go-openai's, and what it cost.
type CompletionResponse struct {
	openai.CompletionResponse
	Outcome `json:"-"`
}

// EmbeddingResponse is go-openai's, and what it cost.
type EmbeddingResponse struct {
	openai.EmbeddingResponse
	Outcome `json:"-"`
}

// ChatCompletionStreamResponse is one chunk of a stream: go-openai's, and its JSON as the provider sent it.
type ChatCompletionStreamResponse struct {
	openai.ChatCompletionStreamResponse
	Raw json.RawMessage `json:"-"`
}

// CompletionStreamResponse is one chunk of a text completion's stream: go-openai's, and its JSON as it was sent.
type CompletionStreamResponse struct {
	openai.CompletionResponse
	Raw json.RawMessage `json:"-"`
}

func decodeChatChunk(data []byte) (chunk ChatCompletionStreamResponse, err error) {
	chunk.Raw = bytes.Clone(data)
	return chunk, decode(data, &chunk.ChatCompletionStreamResponse)
}

func decodeCompletionChunk(data []byte) (chunk CompletionStreamResponse, err error) {
	chunk.Raw = bytes.Clone(data)
	return chunk, decode(data, &chunk.CompletionResponse)
}

// decode decodes an answer into one of go-openai's types. An answer that does not fit them for a reason that is known is
// mended first, rather than failing as a whole.
func decode(data []byte, into any) error {
	err := json.Unmarshal(data, into)
	var mismatch *json.UnmarshalTypeError
	if !errors.As(err, &mismatch) {
		return err
	}
	mended, ok := mend(data)
	if !ok {
		return err
	}
	return json.Unmarshal(mended, into)
}

// decodeChat decodes a chat completion. go-openai's type takes content in parts, but keeps of each only what a request
// can have, so such an answer is mended too.
func decodeChat(data []byte, into *openai.ChatCompletionResponse) error {
	err := decode(data, into)
	inParts := func(c openai.ChatCompletionChoice) bool { return len(c.Message.MultiContent) > 0 }
	if err != nil || !slices.ContainsFunc(into.Choices, inParts) {
		return err
	}
	if mended, ok := mend(data); ok {
		return json.Unmarshal(mended, into)
	}
	return nil
}

// decodeEmbeddings decodes embeddings as numbers or, where base64 was asked for, as packed floats.
func decodeEmbeddings(data []byte, into *openai.EmbeddingResponse) error {
	head := into.Header()
	err := decode(data, into)
	var mismatch *json.UnmarshalTypeError
	if err == nil || !errors.As(err, &mismatch) {
		return err
	}
	var packed openai.EmbeddingResponseBase64
	if decode(data, &packed) != nil {
		return err
	}
	unpacked, err := packed.ToEmbeddingResponse()
	if err != nil {
		return err
	}
	*into = unpacked
	into.SetHeader(head)
	return nil
}
