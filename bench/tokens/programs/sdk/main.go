// Command sdk makes a client and one call with it, so that the linker keeps all that a program with farebox holds. It is
// there to be weighed, with the build tag farebox_nocount and without it.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/farebox-go/farebox"
	"github.com/sashabaranov/go-openai"
)

func main() {
	client, err := farebox.New(farebox.OpenRouter(os.Getenv("OPENROUTER_API_KEY")))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	response, err := client.CreateChatCompletion(context.Background(), openai.ChatCompletionRequest{
		Model:    "openai/gpt-4o-mini",
		Messages: []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: "Hello"}},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(response.Cost)
}
