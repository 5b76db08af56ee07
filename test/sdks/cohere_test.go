package sdks

import (
	"context"
	"errors"
	"io"

	cohere "github.com/cohere-ai/cohere-go/v2"
	"github.com/cohere-ai/cohere-go/v2/client"
)

// cohereChat is cohere-go's second version of chat. The simulated provider does not speak it: it meets recordings only.
type cohereChat struct{ client *client.Client }

func openCohere(c connection) (conversation, error) {
	return &cohereChat{client.NewClient(client.WithToken(key), client.WithBaseURL(c.url), client.WithHTTPClient(c.doing()))}, nil
}

func messageOf(prompt string) cohere.ChatMessages {
	return cohere.ChatMessages{{Role: "user", User: &cohere.UserMessageV2{Content: &cohere.UserMessageV2Content{String: prompt}}}}
}

func (s *cohereChat) ask(ctx context.Context, prompt string) (string, error) {
	limit := maxTokens
	answer, err := s.client.V2.Chat(ctx, &cohere.V2ChatRequest{Model: model, MaxTokens: &limit, Messages: messageOf(prompt)})
	if err != nil {
		return "", err
	}
	var text string
	for _, item := range answer.Message.Content {
		if item.Text != nil {
			text += item.Text.Text
		}
	}
	return text, nil
}

func (s *cohereChat) stream(ctx context.Context, prompt string, each func(string) bool) error {
	limit := maxTokens
	stream, err := s.client.V2.ChatStream(ctx, &cohere.V2ChatStreamRequest{Model: model, MaxTokens: &limit, Messages: messageOf(prompt)})
	if err != nil {
		return err
	}
	defer func() { _ = stream.Close() }()
	for {
		event, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if delta := event.ContentDelta; delta != nil && delta.Delta != nil && delta.Delta.Message != nil &&
			delta.Delta.Message.Content != nil && delta.Delta.Message.Content.Text != nil && !each(*delta.Delta.Message.Content.Text) {
			return nil
		}
	}
}

func (s *cohereChat) callTool(context.Context, string) (name, arguments string, err error) {
	return "", "", errors.ErrUnsupported
}
