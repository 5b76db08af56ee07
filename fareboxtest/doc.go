// Package fareboxtest is a provider of language models that is not one, and assertions about what calls cost: for tests
// of programs that use farebox, and for trying farebox out without a key.
//
// A [Provider] is an HTTP server in the same process. It speaks the wire formats of OpenAI (completions, embeddings and
// responses), OpenRouter, Anthropic (messages) and Gemini (generateContent), answers deterministically, keeps its own account of what it billed, and can be told to fail in the ways in which providers
// fail. A [Fake] stands in for a farebox.Client where no HTTP is wanted at all.
//
// # What a call costs
//
// Usage follows one rule, so that a test can work out a cost beforehand: a text is one token for every four bytes that
// it begins (see [Tokens]). The input is the sum over the messages' texts, the output the sum over the answers' texts,
// reasoning and tool calls. Roles, names, tool definitions, images and JSON around the text count nothing.
package fareboxtest
