package sdks

import (
	"context"
	"strings"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
)

// anthropicMessages is anthropic-sdk-go's messages.
type anthropicMessages struct{ client anthropic.Client }

func openAnthropic(c connection) (conversation, error) {
	options := []option.RequestOption{option.WithAPIKey(key), option.WithBaseURL(c.url)}
	if c.middleware != nil {
		options = append(options, option.WithMiddleware(c.middleware))
	} else {
		options = append(options, option.WithHTTPClient(c.doing()))
	}
	return &anthropicMessages{anthropic.NewClient(options...)}, nil
}

func (s *anthropicMessages) params(prompt string) anthropic.MessageNewParams {
	return anthropic.MessageNewParams{
		Model: model, MaxTokens: maxTokens,
		Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(prompt))},
	}
}

func (s *anthropicMessages) ask(ctx context.Context, prompt string) (string, error) {
	answer, err := s.client.Messages.New(ctx, s.params(prompt))
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for _, block := range answer.Content {
		text.WriteString(block.Text)
	}
	return text.String(), nil
}

func (s *anthropicMessages) stream(ctx context.Context, prompt string, each func(string) bool) error {
	stream := s.client.Messages.NewStreaming(ctx, s.params(prompt))
	defer func() { _ = stream.Close() }()
	for stream.Next() {
		if delta, ok := stream.Current().AsAny().(anthropic.ContentBlockDeltaEvent); ok && !each(delta.Delta.Text) {
			return nil
		}
	}
	return stream.Err()
}

func (s *anthropicMessages) callTool(ctx context.Context, prompt string) (name, arguments string, err error) {
	params := s.params(prompt)
	params.Tools = []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{
		Name: toolName, Description: anthropic.String(toolDescription),
		InputSchema: anthropic.ToolInputSchemaParam{Properties: toolSchema["properties"], Required: []string{"city"}},
	}}}
	answer, err := s.client.Messages.New(ctx, params)
	if err != nil {
		return "", "", err
	}
	for _, block := range answer.Content {
		if call, ok := block.AsAny().(anthropic.ToolUseBlock); ok {
			return call.Name, string(call.Input), nil
		}
	}
	return "", "", errNoAnswer
}
