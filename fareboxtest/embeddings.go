package fareboxtest

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/fnv"
	"math"
)

// defaultDimensions is the length of an embedding unless the request says otherwise.
const defaultDimensions = 8

type embeddingsBody struct {
	Object string          `json:"object"`
	Data   []embedding     `json:"data"`
	Model  string          `json:"model"`
	Usage  json.RawMessage `json:"usage,omitempty"`
	// OpenRouter's.
	ID       string `json:"id,omitempty"`
	Provider string `json:"provider,omitempty"`
}

type embedding struct {
	Object    string `json:"object"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"` // numbers, or in base64
}

func (a *answer) embeddingsJSON(f *Fault) []byte {
	b := embeddingsBody{Object: "list", Model: a.model.servedAs(), Usage: a.usageJSON(f), Data: []embedding{}}
	if a.style == OpenRouter {
		b.ID, b.Provider = a.id, upstream
	}
	dimensions := a.call.Dimensions
	if dimensions <= 0 || dimensions > 1<<14 {
		dimensions = defaultDimensions
	}
	for i, in := range a.call.Input {
		vector := vectorOf(in.text, dimensions)
		e := embedding{Object: "embedding", Index: i, Embedding: vector}
		if a.call.EncodingFormat == "base64" {
			e.Embedding = packed(vector)
		}
		b.Data = append(b.Data, e)
	}
	return encode(b)
}

// vectorOf makes a vector of length 1 that depends on nothing but the text.
func vectorOf(text string, dimensions int) []float32 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text))
	state := h.Sum64()
	vector := make([]float64, dimensions)
	var squares float64
	for i := range vector {
		state = state*6364136223846793005 + 1442695040888963407
		vector[i] = float64(state>>40)/(1<<23) - 1
		squares += vector[i] * vector[i]
	}
	length := math.Sqrt(squares)
	unit := make([]float32, dimensions)
	for i, x := range vector {
		if length > 0 {
			unit[i] = float32(x / length)
		}
	}
	return unit
}

func packed(vector []float32) string {
	raw := make([]byte, 0, 4*len(vector))
	for _, x := range vector {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	return base64.StdEncoding.EncodeToString(raw)
}
