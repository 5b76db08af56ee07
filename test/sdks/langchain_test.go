package sdks

import (
	"context"
	"errors"

	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/openai"
)

// langChain is langchaingo over its client of OpenAI's.
type langChain struct{ llm *openai.LLM }

func openLangChain(c connection) (conversation, error) {
	llm, err := openai.New(openai.WithToken(key), openai.WithBaseURL(c.url), openai.WithModel(model), openai.WithHTTPClient(c.doing()))
	return &langChain{llm}, err
}

func (s *langChain) generate(ctx context.Context, prompt string, options ...llms.CallOption) (*llms.ContentChoice, error) {
	messages := []llms.MessageContent{llms.TextParts(llms.ChatMessageTypeHuman, prompt)}
	answer, err := s.llm.GenerateContent(ctx, messages, append(options, llms.WithMaxTokens(maxTokens))...)
	if err != nil {
		return nil, err
	}
	if len(answer.Choices) == 0 {
		return nil, errNoAnswer
	}
	return answer.Choices[0], nil
}

func (s *langChain) ask(ctx context.Context, prompt string) (string, error) {
	choice, err := s.generate(ctx, prompt)
	if err != nil {
		return "", err
	}
	return choice.Content, nil
}

var errLeft = errors.New("the reader has left")

func (s *langChain) stream(ctx context.Context, prompt string, each func(string) bool) error {
	_, err := s.generate(ctx, prompt, llms.WithStreamingFunc(func(_ context.Context, chunk []byte) error {
		if !each(string(chunk)) {
			return errLeft
		}
		return nil
	}))
	if errors.Is(err, errLeft) {
		return nil
	}
	return err
}

func (s *langChain) callTool(ctx context.Context, prompt string) (name, arguments string, err error) {
	choice, err := s.generate(ctx, prompt, llms.WithTools([]llms.Tool{{Type: "function", Function: &llms.FunctionDefinition{
		Name: toolName, Description: toolDescription, Parameters: toolSchema,
	}}}))
	if err != nil {
		return "", "", err
	}
	if len(choice.ToolCalls) == 0 {
		return "", "", errNoAnswer
	}
	call := choice.ToolCalls[0].FunctionCall
	return call.Name, call.Arguments, nil
}
