package sdks

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// plain is no SDK at all: net/http, and as much JSON as a service may write by hand.
type plain struct{ connection }

func openPlain(c connection) (conversation, error) { return &plain{c}, nil }

type plainAnswer struct {
	Choices []struct {
		Message, Delta struct {
			Content   string
			ToolCalls []struct {
				Function struct{ Name, Arguments string }
			} `json:"tool_calls"`
		}
	}
}

func (s *plain) post(ctx context.Context, body map[string]any) (*http.Response, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/chat/completions", bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := s.doing().Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	return resp, nil
}

func request(prompt string) map[string]any {
	return map[string]any{"model": model, "max_tokens": maxTokens, "messages": []any{map[string]any{"role": "user", "content": prompt}}}
}

func (s *plain) answer(ctx context.Context, body map[string]any) (answer plainAnswer, err error) {
	resp, err := s.post(ctx, body)
	if err != nil {
		return answer, err
	}
	defer func() { _ = resp.Body.Close() }()
	if err = json.NewDecoder(resp.Body).Decode(&answer); err == nil && len(answer.Choices) == 0 {
		err = errNoAnswer
	}
	return answer, err
}

func (s *plain) ask(ctx context.Context, prompt string) (string, error) {
	answer, err := s.answer(ctx, request(prompt))
	if err != nil {
		return "", err
	}
	return answer.Choices[0].Message.Content, nil
}

func (s *plain) stream(ctx context.Context, prompt string, each func(string) bool) error {
	body := request(prompt)
	body["stream"] = true
	resp, err := s.post(ctx, body)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok || data == "[DONE]" {
			continue
		}
		var chunk plainAnswer
		if err := json.Unmarshal([]byte(data), &chunk); err != nil {
			return err
		}
		for _, choice := range chunk.Choices {
			if !each(choice.Delta.Content) {
				return nil
			}
		}
	}
	return lines.Err()
}

func (s *plain) callTool(ctx context.Context, prompt string) (name, arguments string, err error) {
	body := request(prompt)
	body["tools"] = []any{map[string]any{"type": "function", "function": map[string]any{"name": toolName, "parameters": toolSchema}}}
	answer, err := s.answer(ctx, body)
	if err != nil {
		return "", "", err
	}
	if len(answer.Choices[0].Message.ToolCalls) == 0 {
		return "", "", errNoAnswer
	}
	call := answer.Choices[0].Message.ToolCalls[0].Function
	return call.Name, call.Arguments, nil
}
