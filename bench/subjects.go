package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	openai "github.com/sashabaranov/go-openai"

	"github.com/farebox-go/farebox"
)

// Subject is one way to call the provider.
type Subject struct {
	Name string
	// Chat asks for a completion and reads the answer.
	Chat func(ctx context.Context, prompt string) error
	// Stream asks for a completion as a stream, reads it to its end and returns the number of chunks.
	Stream func(ctx context.Context, prompt string) (chunks int, err error)
	// Meter is what the calls pass through; nil for a client that meters nothing.
	Meter *farebox.Meter
}

// errShort says that an answer is not the provider's: a benchmark of failing calls would flatter.
var errShort = errors.New("bench: the answer is not what the provider sent")

const key = "sk-bench"

// Bare is go-openai by itself.
func Bare(base http.RoundTripper, baseURL string) Subject {
	return fromGoOpenAI("go-openai", &http.Client{Transport: base}, baseURL, false)
}

// BareWithUsage is go-openai by itself, with streams that are asked for their usage.
func BareWithUsage(base http.RoundTripper, baseURL string) Subject {
	return fromGoOpenAI("go-openai, usage asked for", &http.Client{Transport: base}, baseURL, true)
}

// Metered is go-openai over a metered transport.
func Metered(base http.RoundTripper, baseURL string, options ...farebox.MeterOption) (Subject, error) {
	return metered("go-openai over farebox's transport", base, baseURL, false, options)
}

// MeteredWithUsage is go-openai over a metered transport, with streams that are asked for their usage by the caller,
// so that farebox neither edits the request nor takes the usage out of the answer.
func MeteredWithUsage(base http.RoundTripper, baseURL string, options ...farebox.MeterOption) (Subject, error) {
	return metered("go-openai over farebox's transport, usage asked for", base, baseURL, true, options)
}

func metered(name string, base http.RoundTripper, baseURL string, usage bool, options []farebox.MeterOption) (Subject, error) {
	meter, err := farebox.NewMeter(append(options, farebox.WithBaseTransport(base), farebox.WithEndpoint(endpoint(baseURL)))...)
	if err != nil {
		return Subject{}, err
	}
	s := fromGoOpenAI(name, meter.HTTPClient(), baseURL, usage)
	s.Meter = meter
	return s, nil
}

func endpoint(baseURL string) farebox.Endpoint { return farebox.OpenAI(key).WithBaseURL(baseURL) }

// Client is farebox's own client.
func Client(base http.RoundTripper, baseURL string, options ...farebox.MeterOption) (Subject, error) {
	all := []farebox.Option{farebox.WithBaseTransport(base)}
	for _, option := range options {
		all = append(all, option)
	}
	client, err := farebox.New(endpoint(baseURL), all...)
	if err != nil {
		return Subject{}, err
	}
	return Subject{
		Name:  "farebox.Client",
		Meter: client.Meter(),
		Chat: func(ctx context.Context, prompt string) error {
			resp, err := client.CreateChatCompletion(ctx, request(prompt, false))
			if err != nil {
				return err
			}
			return check(resp.ChatCompletionResponse)
		},
		Stream: func(ctx context.Context, prompt string) (int, error) {
			stream, err := client.CreateChatCompletionStream(ctx, request(prompt, false))
			if err != nil {
				return 0, err
			}
			defer func() { _ = stream.Close() }()
			return drain(stream)
		},
	}, nil
}

func fromGoOpenAI(name string, httpClient *http.Client, baseURL string, usage bool) Subject {
	config := openai.DefaultConfig(key)
	config.BaseURL, config.HTTPClient = baseURL, httpClient
	client := openai.NewClientWithConfig(config)
	return Subject{
		Name: name,
		Chat: func(ctx context.Context, prompt string) error {
			resp, err := client.CreateChatCompletion(ctx, request(prompt, false))
			if err != nil {
				return err
			}
			return check(resp)
		},
		Stream: func(ctx context.Context, prompt string) (int, error) {
			stream, err := client.CreateChatCompletionStream(ctx, request(prompt, usage))
			if err != nil {
				return 0, err
			}
			defer func() { _ = stream.Close() }()
			return drain(stream)
		},
	}
}

// Raw is net/http by itself, whose caller reads streams and decodes nothing: against it the share of the metering shows
// that drowns in what go-openai takes to decode a chunk.
func Raw(base http.RoundTripper, baseURL string) Subject {
	return raw("net/http, nothing decoded", &http.Client{Transport: base}, baseURL)
}

// RawMetered is net/http over a metered transport.
func RawMetered(base http.RoundTripper, baseURL string, options ...farebox.MeterOption) (Subject, error) {
	meter, err := farebox.NewMeter(append(options, farebox.WithBaseTransport(base), farebox.WithEndpoint(endpoint(baseURL)))...)
	if err != nil {
		return Subject{}, err
	}
	s := raw("net/http over farebox's transport", meter.HTTPClient(), baseURL)
	s.Meter = meter
	return s, nil
}

func raw(name string, client *http.Client, baseURL string) Subject {
	return Subject{
		Name: name,
		Chat: func(ctx context.Context, prompt string) error {
			_, err := post(ctx, client, baseURL, request(prompt, false))
			return err
		},
		Stream: func(ctx context.Context, prompt string) (int, error) {
			streamed := request(prompt, true)
			streamed.Stream = true
			reads, err := post(ctx, client, baseURL, streamed)
			return reads - 2, err // the usage and the terminator are no chunks
		},
	}
}

// post sends a request and reads the answer, and returns how many pieces that came in.
func post(ctx context.Context, client *http.Client, baseURL string, body openai.ChatCompletionRequest) (reads int, err error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, baseURL+"/chat/completions", bytes.NewReader(encoded))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	piece := make([]byte, 4<<10)
	for {
		n, err := resp.Body.Read(piece)
		if n > 0 {
			reads++
		}
		if errors.Is(err, io.EOF) {
			return reads, nil
		}
		if err != nil {
			return reads, err
		}
	}
}

func request(prompt string, usage bool) openai.ChatCompletionRequest {
	r := openai.ChatCompletionRequest{
		Model:     Model,
		MaxTokens: completionTokens,
		Messages: []openai.ChatCompletionMessage{
			{Role: openai.ChatMessageRoleSystem, Content: "You are a helpful assistant."},
			{Role: openai.ChatMessageRoleUser, Content: prompt},
		},
	}
	if usage {
		r.StreamOptions = &openai.StreamOptions{IncludeUsage: true}
	}
	return r
}

func check(resp openai.ChatCompletionResponse) error {
	if len(resp.Choices) != 1 || len(resp.Choices[0].Message.Content) != 4*completionTokens || resp.Usage.PromptTokens != promptTokens {
		return errShort
	}
	return nil
}

// drain reads a stream to its end and counts the chunks.
func drain[Chunk any](stream interface{ Recv() (Chunk, error) }) (chunks int, err error) {
	for {
		_, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return chunks, nil
		}
		if err != nil {
			return chunks, err
		}
		chunks++
	}
}
