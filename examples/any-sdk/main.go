// Command any-sdk puts one Meter under the clients of five SDKs, each in the form that suits it, and prints what a call of
// each has cost. The functions named after the SDKs are all that a service has to write. It is a module of its own, since
// farebox depends on none of these SDKs, and runs offline, against simulated providers.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	einoopenai "github.com/cloudwego/eino-ext/components/model/openai"
	"github.com/cloudwego/eino/schema"
	"github.com/openai/openai-go/v3"
	openaioption "github.com/openai/openai-go/v3/option"
	"github.com/tmc/langchaingo/llms"
	langchain "github.com/tmc/langchaingo/llms/openai"
	"google.golang.org/genai"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/fareboxtest"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const (
	key   = "sk-key-of-the-service"
	model = fareboxtest.SmallModel
)

// openAIClient is openai-go's client over a Meter: a refused call ends at its first attempt. option.WithMiddleware with
// meter.Middleware() does the same.
func openAIClient(meter *farebox.Meter, url string) openai.Client {
	return openai.NewClient(openaioption.WithAPIKey(key), openaioption.WithBaseURL(url), openaioption.WithHTTPClient(meter.Doer()))
}

// anthropicClient is anthropic-sdk-go's client over a Meter, by its other form.
func anthropicClient(meter *farebox.Meter, url string) anthropic.Client {
	return anthropic.NewClient(anthropicoption.WithAPIKey(key), anthropicoption.WithBaseURL(url), anthropicoption.WithMiddleware(meter.Middleware()))
}

// genaiClient is Google's client over a Meter.
func genaiClient(ctx context.Context, meter *farebox.Meter, url string) (*genai.Client, error) {
	return genai.NewClient(ctx, &genai.ClientConfig{
		APIKey: key, Backend: genai.BackendGeminiAPI, HTTPClient: meter.HTTPClient(), HTTPOptions: genai.HTTPOptions{BaseURL: url},
	})
}

// langChainModel is langchaingo's model over a Meter: under an *http.Client it would hide why a call was refused.
func langChainModel(meter *farebox.Meter, url string) (*langchain.LLM, error) {
	return langchain.New(langchain.WithToken(key), langchain.WithBaseURL(url), langchain.WithModel(model), langchain.WithHTTPClient(meter.Doer()))
}

// einoModel is eino's OpenAI component over a Meter.
func einoModel(ctx context.Context, meter *farebox.Meter, url string) (*einoopenai.ChatModel, error) {
	return einoopenai.NewChatModel(ctx, &einoopenai.ChatModelConfig{APIKey: key, BaseURL: url, Model: model, HTTPClient: meter.HTTPClient()})
}

func run(out io.Writer) error {
	openAI := fareboxtest.NewProvider()
	defer openAI.Close()
	claude := fareboxtest.NewProvider(fareboxtest.WithStyle(fareboxtest.Anthropic))
	defer claude.Close()
	gemini := fareboxtest.NewProvider(fareboxtest.WithStyle(fareboxtest.Gemini))
	defer gemini.Close()
	var prices []farebox.Model
	for _, p := range []*fareboxtest.Provider{openAI, claude, gemini} {
		prices = append(prices, p.Prices()...)
	}
	meter, err := farebox.NewMeter(
		farebox.WithEndpoint(openAI.Endpoint(), claude.Endpoint(), gemini.Endpoint()), farebox.WithModels(prices...),
		farebox.WithBudget(farebox.Budget{Name: "today", Cap: farebox.Dollars(5), Window: farebox.Daily}),
		farebox.WithRefuseUnmetered())
	if err != nil {
		return err
	}
	defer func() { _ = meter.Close(context.Background()) }()

	for _, sdk := range []struct {
		name string
		call func(context.Context) error
	}{
		{"openai-go", func(ctx context.Context) error {
			client := openAIClient(meter, openAI.URL())
			_, err := client.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{
				Model: model, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("What is a farebox?")},
			})
			return err
		}},
		{"anthropic-sdk-go", func(ctx context.Context) error {
			client := anthropicClient(meter, claude.URL())
			_, err := client.Messages.New(ctx, anthropic.MessageNewParams{
				Model: model, MaxTokens: 100, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("What is a farebox?"))},
			})
			return err
		}},
		{"genai", func(ctx context.Context) error {
			client, err := genaiClient(ctx, meter, gemini.URL())
			if err != nil {
				return err
			}
			_, err = client.Models.GenerateContent(ctx, model, genai.Text("What is a farebox?"), nil)
			return err
		}},
		{"langchaingo", func(ctx context.Context) error {
			llm, err := langChainModel(meter, openAI.URL())
			if err != nil {
				return err
			}
			_, err = llms.GenerateFromSinglePrompt(ctx, llm, "What is a farebox?")
			return err
		}},
		{"eino", func(ctx context.Context) error {
			chat, err := einoModel(ctx, meter, openAI.URL())
			if err != nil {
				return err
			}
			_, err = chat.Generate(ctx, []*schema.Message{schema.UserMessage("What is a farebox?")})
			return err
		}},
	} {
		ctx, receipts := farebox.ContextWithReceipts(context.Background())
		if err := sdk.call(ctx); err != nil {
			return fmt.Errorf("%s: %w", sdk.name, err)
		}
		fmt.Fprintf(out, "%-17s %s\n", sdk.name, receipts.All()[0])
	}
	billed := openAI.Billed().Add(claude.Billed()).Add(gemini.Billed())
	spent := meter.Guard().Snapshot()[0].Spent
	fmt.Fprintf(out, "spent %s; the providers have billed %s\n", spent, billed)
	if spent.Less(billed) {
		return errors.New("the budget has missed something")
	}
	return nil
}
