package sdks

import (
	"context"
	"errors"
	"io"

	"github.com/cloudwego/eino-ext/components/model/openai"
	einomodel "github.com/cloudwego/eino/components/model"
	"github.com/cloudwego/eino/schema"
)

// eino is cloudwego/eino with its OpenAI component.
type eino struct {
	chat einomodel.ToolCallingChatModel
}

func openEino(c connection) (conversation, error) {
	limit := maxTokens
	chat, err := openai.NewChatModel(context.Background(), &openai.ChatModelConfig{
		APIKey: key, BaseURL: c.url, Model: model, MaxCompletionTokens: &limit, HTTPClient: c.client,
	})
	return &eino{chat}, err
}

func (s *eino) ask(ctx context.Context, prompt string) (string, error) {
	answer, err := s.chat.Generate(ctx, []*schema.Message{schema.UserMessage(prompt)})
	if err != nil {
		return "", err
	}
	return answer.Content, nil
}

func (s *eino) stream(ctx context.Context, prompt string, each func(string) bool) error {
	stream, err := s.chat.Stream(ctx, []*schema.Message{schema.UserMessage(prompt)})
	if err != nil {
		return err
	}
	defer stream.Close()
	for {
		chunk, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case !each(chunk.Content):
			return nil
		}
	}
}

func (s *eino) callTool(ctx context.Context, prompt string) (name, arguments string, err error) {
	chat, err := s.chat.WithTools([]*schema.ToolInfo{{
		Name: toolName, Desc: toolDescription,
		ParamsOneOf: schema.NewParamsOneOfByParams(map[string]*schema.ParameterInfo{"city": {Type: schema.String, Required: true}}),
	}})
	if err != nil {
		return "", "", err
	}
	answer, err := chat.Generate(ctx, []*schema.Message{schema.UserMessage(prompt)})
	if err != nil {
		return "", "", err
	}
	if len(answer.ToolCalls) == 0 {
		return "", "", errNoAnswer
	}
	call := answer.ToolCalls[0].Function
	return call.Name, call.Arguments, nil
}
