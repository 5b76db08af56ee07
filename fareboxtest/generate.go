package fareboxtest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// geminiParts are the parts of a turn; only their text counts.
type geminiParts struct {
	Role  string `json:"role"`
	Parts []struct {
		Text string `json:"text"`
	} `json:"parts"`
}

func (g *geminiParts) text() content {
	var all strings.Builder
	for _, part := range g.Parts {
		all.WriteString(part.Text)
	}
	return content(all.String())
}

// readGenerate reads the body of a call of generateContent.
func (c *call) readGenerate(body []byte) error {
	var asked struct {
		Contents          []geminiParts `json:"contents"`
		SystemInstruction geminiParts   `json:"systemInstruction"`
		GenerationConfig  struct {
			MaxOutputTokens int64 `json:"maxOutputTokens"`
			CandidateCount  int   `json:"candidateCount"`
		} `json:"generationConfig"`
	}
	err := json.Unmarshal(body, &asked)
	c.System = asked.SystemInstruction.text()
	c.MaxTokens, c.N = asked.GenerationConfig.MaxOutputTokens, asked.GenerationConfig.CandidateCount
	for _, turnOf := range asked.Contents {
		role := turnOf.Role
		if role == "" {
			role = "user"
		}
		c.Messages = append(c.Messages, turn{Role: role, Content: turnOf.text()})
	}
	return err
}

// readGenerateURL takes what the URL says: the model, and how the answer is to come.
func (c *call) readGenerateURL(u *url.URL) {
	model, action, _ := strings.Cut(path.Base(u.Path), ":")
	c.Model = model
	c.Stream = action == "streamGenerateContent"
	c.array = c.Stream && u.Query().Get("alt") != "sse"
}

// generateAnswer is an answer of Gemini's, or one chunk of it.
type generateAnswer struct {
	Candidates    []candidate     `json:"candidates"`
	UsageMetadata json.RawMessage `json:"usageMetadata,omitempty"`
	ModelVersion  string          `json:"modelVersion"`
	ResponseID    string          `json:"responseId"`
}

type candidate struct {
	Content      candidateContent `json:"content"`
	FinishReason string           `json:"finishReason,omitempty"`
	Index        int              `json:"index"`
}

type candidateContent struct {
	Parts []candidatePart `json:"parts"`
	Role  string          `json:"role"`
}

type candidatePart struct {
	Text         *string       `json:"text,omitempty"`
	Thought      bool          `json:"thought,omitempty"`
	FunctionCall *functionCall `json:"functionCall,omitempty"`
}

type functionCall struct {
	Name string          `json:"name"`
	Args json.RawMessage `json:"args"`
}

type generateUsage struct {
	Prompt     int64          `json:"promptTokenCount"`
	Cached     int64          `json:"cachedContentTokenCount,omitempty"`
	Candidates int64          `json:"candidatesTokenCount,omitempty"`
	Thoughts   int64          `json:"thoughtsTokenCount,omitempty"`
	Total      int64          `json:"totalTokenCount"`
	Details    []tokenDetails `json:"promptTokensDetails"`
}

type tokenDetails struct {
	Modality string `json:"modality"`
	Tokens   int64  `json:"tokenCount"`
}

// generateUsage counts cached tokens among the prompt, and thoughts beside the candidates.
func (a *answer) generateUsage(u Usage) generateUsage {
	return generateUsage{
		Prompt: u.Prompt, Cached: u.Cached, Candidates: u.Completion - u.Reasoning, Thoughts: u.Reasoning,
		Total: u.Prompt + u.Completion, Details: []tokenDetails{{"TEXT", u.Prompt}},
	}
}

// geminiReason is a finish reason in Gemini's words, which has none of its own for calls of tools.
func geminiReason(finish string) string {
	switch finish {
	case "stop", "tool_calls":
		return "STOP"
	case "length":
		return "MAX_TOKENS"
	}
	return finish
}

func (a *answer) generateBody(f *Fault) generateAnswer {
	b := generateAnswer{ModelVersion: a.model.servedAs(), ResponseID: a.id, UsageMetadata: a.usageJSON(f)}
	for i := range a.choices {
		r := &a.choices[i]
		parts := []candidatePart{}
		for _, p := range geminiPieces(r) {
			parts = append(parts, p.part)
		}
		if len(parts) > 1 && r.Text != "" {
			parts = joinedText(parts, r.Text)
		}
		b.Candidates = append(b.Candidates, candidate{Index: i, Content: candidateContent{parts, "model"}, FinishReason: geminiReason(r.FinishReason)})
	}
	return b
}

// joinedText puts the words of the text back into one part.
func joinedText(parts []candidatePart, text string) []candidatePart {
	var joined []candidatePart
	written := false
	for _, part := range parts {
		if part.Text == nil || part.Thought {
			joined = append(joined, part)
		} else if !written {
			joined, written = append(joined, candidatePart{Text: &text}), true
		}
	}
	return joined
}

type geminiPiece struct {
	part              candidatePart
	tokens, reasoning int64
}

// geminiPieces cuts a reply into what each chunk carries.
func geminiPieces(r *Reply) []geminiPiece {
	var pieces []geminiPiece
	if r.Reasoning != "" {
		pieces = append(pieces, geminiPiece{candidatePart{Text: &r.Reasoning, Thought: true}, r.ReasoningTokens, r.ReasoningTokens})
	}
	for _, w := range wordsOf(r.Text) {
		pieces = append(pieces, geminiPiece{part: candidatePart{Text: &w.text}, tokens: w.tokens})
	}
	for _, tool := range r.ToolCalls {
		pieces = append(pieces, geminiPiece{part: candidatePart{FunctionCall: &functionCall{tool.Name, argumentsOf(tool)}}, tokens: tool.tokens()})
	}
	if r.Reasoning == "" && r.ReasoningTokens > 0 { // hidden, and thought before the first word
		hidden := geminiPiece{candidatePart{Text: new(string)}, r.ReasoningTokens, r.ReasoningTokens}
		pieces = append([]geminiPiece{hidden}, pieces...)
	}
	if len(pieces) == 0 {
		pieces = append(pieces, geminiPiece{part: candidatePart{Text: new(string)}})
	}
	return pieces
}

// generateEvents is the answer chunk by chunk, each with the usage so far, as Gemini sends it.
func (a *answer) generateEvents(f *Fault) []event {
	var events []event
	so := Usage{Prompt: a.usage.Prompt, Cached: a.usage.Cached}
	for i := range a.choices {
		r := &a.choices[i]
		pieces := geminiPieces(r)
		for n, p := range pieces {
			so.Completion += p.tokens
			so.Reasoning += p.reasoning
			b := generateAnswer{ModelVersion: a.model.servedAs(), ResponseID: a.id}
			c := candidate{Index: i, Content: candidateContent{[]candidatePart{p.part}, "model"}}
			if n == len(pieces)-1 {
				c.FinishReason = geminiReason(r.FinishReason)
			}
			b.Candidates = []candidate{c}
			if !f.NoUsage {
				b.UsageMetadata = rewritten(f, a.generateUsage(so))
			}
			events = append(events, event{data: encode(b), tokens: p.tokens, reasoning: p.reasoning})
		}
	}
	return events
}

// geminiStatuses are Google's names for statuses.
var geminiStatuses = map[int]string{
	http.StatusBadRequest: "INVALID_ARGUMENT", http.StatusUnauthorized: "UNAUTHENTICATED", http.StatusForbidden: "PERMISSION_DENIED",
	http.StatusNotFound: "NOT_FOUND", http.StatusTooManyRequests: "RESOURCE_EXHAUSTED",
	http.StatusInternalServerError: "INTERNAL", http.StatusServiceUnavailable: "UNAVAILABLE",
}

func (p *Provider) generateError(e problem) any {
	status, ok := geminiStatuses[e.status]
	if !ok {
		status = "UNKNOWN"
	}
	if e.message == "" {
		e.message = statusText(e.status)
	}
	return map[string]any{"error": map[string]any{"code": e.status, "message": e.message, "status": status}}
}
