package sdks

import (
	"context"
	"errors"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
)

var errNoAnswer = errors.New("the answer holds nothing")

func newOpenAI(c connection) openai.Client {
	options := []option.RequestOption{option.WithAPIKey(key), option.WithBaseURL(c.url)}
	if c.middleware != nil {
		options = append(options, option.WithMiddleware(c.middleware))
	} else {
		options = append(options, option.WithHTTPClient(c.doing()))
	}
	return openai.NewClient(options...)
}

// openAIChat is openai-go's chat completions.
type openAIChat struct{ client openai.Client }

func openOpenAIChat(c connection) (conversation, error) { return &openAIChat{newOpenAI(c)}, nil }

func (s *openAIChat) params(prompt string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model: model, MaxCompletionTokens: openai.Int(maxTokens),
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(prompt)},
	}
}

func (s *openAIChat) ask(ctx context.Context, prompt string) (string, error) {
	answer, err := s.client.Chat.Completions.New(ctx, s.params(prompt))
	if err != nil {
		return "", err
	}
	if len(answer.Choices) == 0 {
		return "", errNoAnswer
	}
	return answer.Choices[0].Message.Content, nil
}

func (s *openAIChat) stream(ctx context.Context, prompt string, each func(string) bool) error {
	stream := s.client.Chat.Completions.NewStreaming(ctx, s.params(prompt))
	defer func() { _ = stream.Close() }()
	for stream.Next() {
		for _, choice := range stream.Current().Choices {
			if !each(choice.Delta.Content) {
				return nil
			}
		}
	}
	return stream.Err()
}

func (s *openAIChat) callTool(ctx context.Context, prompt string) (name, arguments string, err error) {
	params := s.params(prompt)
	params.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
		Name: toolName, Description: openai.String(toolDescription), Parameters: toolSchema,
	})}
	answer, err := s.client.Chat.Completions.New(ctx, params)
	if err != nil {
		return "", "", err
	}
	if len(answer.Choices) == 0 || len(answer.Choices[0].Message.ToolCalls) == 0 {
		return "", "", errNoAnswer
	}
	call := answer.Choices[0].Message.ToolCalls[0].Function
	return call.Name, call.Arguments, nil
}

// openAIResponses is openai-go's responses.
type openAIResponses struct{ client openai.Client }

func openOpenAIResponses(c connection) (conversation, error) {
	return &openAIResponses{newOpenAI(c)}, nil
}

func (s *openAIResponses) params(prompt string) responses.ResponseNewParams {
	return responses.ResponseNewParams{
		Model: model, MaxOutputTokens: openai.Int(maxTokens),
		Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(prompt)},
	}
}

func (s *openAIResponses) ask(ctx context.Context, prompt string) (string, error) {
	answer, err := s.client.Responses.New(ctx, s.params(prompt))
	if err != nil {
		return "", err
	}
	return answer.OutputText(), nil
}

func (s *openAIResponses) stream(ctx context.Context, prompt string, each func(string) bool) error {
	stream := s.client.Responses.NewStreaming(ctx, s.params(prompt))
	defer func() { _ = stream.Close() }()
	for stream.Next() {
		if delta, ok := stream.Current().AsAny().(responses.ResponseTextDeltaEvent); ok && !each(delta.Delta) {
			return nil
		}
	}
	return stream.Err()
}

func (s *openAIResponses) callTool(ctx context.Context, prompt string) (name, arguments string, err error) {
	params := s.params(prompt)
	params.Tools = []responses.ToolUnionParam{responses.ToolParamOfFunction(toolName, toolSchema, false)}
	answer, err := s.client.Responses.New(ctx, params)
	if err != nil {
		return "", "", err
	}
	for _, item := range answer.Output {
		if call, ok := item.AsAny().(responses.ResponseFunctionToolCall); ok {
			return call.Name, call.Arguments, nil
		}
	}
	return "", "", errNoAnswer
}

// joined collects what a stream hands on.
func joined(ctx context.Context, c conversation, prompt string) (string, error) {
	var all strings.Builder
	err := c.stream(ctx, prompt, func(text string) bool {
		all.WriteString(text)
		return true
	})
	return all.String(), err
}
