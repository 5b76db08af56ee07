package sdks

import (
	"context"
	"errors"
	"io"

	openai "github.com/sashabaranov/go-openai"
)

// goOpenAI is github.com/sashabaranov/go-openai.
type goOpenAI struct{ client *openai.Client }

func openGoOpenAI(c connection) (conversation, error) {
	config := openai.DefaultConfig(key)
	config.BaseURL, config.HTTPClient = c.url, c.doing()
	return &goOpenAI{openai.NewClientWithConfig(config)}, nil
}

func (s *goOpenAI) request(prompt string) openai.ChatCompletionRequest {
	return openai.ChatCompletionRequest{
		Model: model, MaxTokens: maxTokens,
		Messages: []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: prompt}},
	}
}

func (s *goOpenAI) ask(ctx context.Context, prompt string) (string, error) {
	answer, err := s.client.CreateChatCompletion(ctx, s.request(prompt))
	if err != nil {
		return "", err
	}
	if len(answer.Choices) == 0 {
		return "", errNoAnswer
	}
	return answer.Choices[0].Message.Content, nil
}

func (s *goOpenAI) stream(ctx context.Context, prompt string, each func(string) bool) error {
	stream, err := s.client.CreateChatCompletionStream(ctx, s.request(prompt))
	if err != nil {
		return err
	}
	defer func() { _ = stream.Close() }()
	for {
		chunk, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		for _, choice := range chunk.Choices {
			if !each(choice.Delta.Content) {
				return nil
			}
		}
	}
}

func (s *goOpenAI) callTool(ctx context.Context, prompt string) (name, arguments string, err error) {
	request := s.request(prompt)
	request.Tools = []openai.Tool{{Type: openai.ToolTypeFunction, Function: &openai.FunctionDefinition{
		Name: toolName, Description: toolDescription, Parameters: toolSchema,
	}}}
	answer, err := s.client.CreateChatCompletion(ctx, request)
	if err != nil {
		return "", "", err
	}
	if len(answer.Choices) == 0 || len(answer.Choices[0].Message.ToolCalls) == 0 {
		return "", "", errNoAnswer
	}
	call := answer.Choices[0].Message.ToolCalls[0].Function
	return call.Name, call.Arguments, nil
}
