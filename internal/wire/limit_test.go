package wire_test

import (
	"testing"

	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/anthropic"
	"github.com/farebox-go/farebox/internal/wire/bedrock"
	"github.com/farebox-go/farebox/internal/wire/cohere"
	"github.com/farebox-go/farebox/internal/wire/gemini"
	"github.com/farebox-go/farebox/internal/wire/mistral"
	"github.com/farebox-go/farebox/internal/wire/ollama"
	"github.com/farebox-go/farebox/internal/wire/openai"
	"github.com/farebox-go/farebox/internal/wire/responses"
	"github.com/farebox-go/farebox/internal/wire/xai"
)

// What a format writes as the output limit it reads as the output limit.
func TestLimitOutputIsRead(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		format wire.Format
		op     wire.Operation
		body   string
		want   string // empty: an error
	}{
		{openai.Format{}, wire.Chat, `{"model":"m","n":2,"max_completion_tokens":900}`, `{"model":"m","n":2,"max_completion_tokens":77}`},
		{anthropic.Format{}, wire.Chat, `{"model":"m","max_tokens":900}`, `{"model":"m","max_tokens":77}`},
		{anthropic.Format{}, wire.Chat, `{"max_tokens":900,"thinking":{"type":"enabled","budget_tokens":76}}`, `{"max_tokens":77,"thinking":{"type":"enabled","budget_tokens":76}}`},
		{anthropic.Format{}, wire.Chat, `{"max_tokens":900,"thinking":{"type":"enabled","budget_tokens":77}}`, ""},
		{anthropic.Format{}, wire.Batch, `{"requests":[]}`, ""},
		{responses.Format{}, wire.Chat, `{"input":"x"}`, `{"input":"x","max_output_tokens":77}`},
		{bedrock.Format{}, wire.Chat, `{"messages":[]}`, `{"messages":[],"inferenceConfig":{"maxTokens":77}}`},
		{bedrock.Format{}, wire.Chat, `{"inferenceConfig":{"maxTokens":900},"additionalModelRequestFields":{"thinking":{"budget_tokens":77}}}`, ""},
		{bedrock.Format{}, wire.GenerateContent, `{"prompt":"x","max_gen_len":900}`, `{"prompt":"x","max_gen_len":77}`},
		{bedrock.Format{}, wire.GenerateContent, `{"inputText":"x","textGenerationConfig":{"maxTokenCount":900}}`, `{"inputText":"x","textGenerationConfig":{"maxTokenCount":77}}`},
		{bedrock.Format{}, wire.GenerateContent, `{"prompt":"x"}`, ""},
		{bedrock.Format{}, wire.Embeddings, `{"inputText":"x"}`, ""},
		{cohere.Format{}, wire.Chat, `{"message":"x"}`, `{"message":"x","max_tokens":77}`},
		{cohere.Format{}, wire.Embeddings, `{"texts":[]}`, ""},
		{ollama.Format{}, wire.Chat, `{"options":{"num_predict":-1}}`, `{"options":{"num_predict":77}}`},
		{mistral.Format{}, wire.Chat, `{"inputs":"x"}`, `{"inputs":"x","completion_args":{"max_tokens":77}}`},
		{mistral.Format{}, wire.OCR, `{"document":{}}`, ""},
		{xai.Format{}, wire.Chat, `{"max_tokens":900}`, `{"max_tokens":77}`},
		{gemini.Format{}, wire.GenerateContent, `{"contents":[]}`, `{"contents":[],"generationConfig":{"maxOutputTokens":77}}`},
		{gemini.Format{}, wire.GenerateContent, `{"generation_config":{"max_output_tokens":900}}`, `{"generation_config":{"max_output_tokens":77}}`},
		{gemini.Format{}, wire.Chat, `{"input":"x"}`, `{"input":"x","generation_config":{"max_output_tokens":77}}`},
		{gemini.Format{}, wire.Embeddings, `{"content":{}}`, ""},
		{responses.Format{}, wire.Chat, `{"input"`, ""},
	} {
		limiter, ok := test.format.(wire.OutputLimiter)
		if !ok {
			t.Errorf("%s limits no output", test.format.Name())
			continue
		}
		got, err := limiter.LimitOutput(&wire.Request{Operation: test.op}, []byte(test.body), 77, false)
		if string(got) != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s %s: %s, %v, want %s", test.format.Name(), test.body, got, err, test.want)
		}
		if err != nil {
			continue
		}
		if read, err := test.format.ReadRequest(test.op, wire.Target{}, got); err != nil || read.MaxOutput != 77 {
			t.Errorf("%s %s: a limit of %d is read, %v", test.format.Name(), got, read.MaxOutput, err)
		}
	}
}
