package sdks

import (
	"context"
	"encoding/json"

	"google.golang.org/genai"
)

// genAI is google.golang.org/genai.
type genAI struct{ client *genai.Client }

func openGenAI(c connection) (conversation, error) {
	client, err := genai.NewClient(context.Background(), &genai.ClientConfig{
		APIKey: key, Backend: genai.BackendGeminiAPI, HTTPClient: c.client, HTTPOptions: genai.HTTPOptions{BaseURL: c.url},
	})
	return &genAI{client}, err
}

var generateConfig = genai.GenerateContentConfig{MaxOutputTokens: maxTokens}

func (s *genAI) ask(ctx context.Context, prompt string) (string, error) {
	config := generateConfig
	answer, err := s.client.Models.GenerateContent(ctx, model, genai.Text(prompt), &config)
	if err != nil {
		return "", err
	}
	return answer.Text(), nil
}

func (s *genAI) stream(ctx context.Context, prompt string, each func(string) bool) error {
	config := generateConfig
	for chunk, err := range s.client.Models.GenerateContentStream(ctx, model, genai.Text(prompt), &config) {
		if err != nil {
			return err
		}
		if !each(chunk.Text()) {
			return nil
		}
	}
	return nil
}

func (s *genAI) callTool(ctx context.Context, prompt string) (name, arguments string, err error) {
	config := generateConfig
	config.Tools = []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{{
		Name: toolName, Description: toolDescription, ParametersJsonSchema: toolSchema,
	}}}}
	answer, err := s.client.Models.GenerateContent(ctx, model, genai.Text(prompt), &config)
	if err != nil {
		return "", "", err
	}
	for _, call := range answer.FunctionCalls() {
		made, err := json.Marshal(call.Args)
		return call.Name, string(made), err
	}
	return "", "", errNoAnswer
}
