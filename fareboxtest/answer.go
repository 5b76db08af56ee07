package fareboxtest

import (
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/farebox-go/farebox"
)

// Prompt is what a reply is made from.
type Prompt struct {
	Model string // the model asked for
	Text  string // the last message of the user's, or the text to complete
	// Choice is the number of the choice that the reply is for, from 0 on: there are several where n is more than 1.
	Choice int
}

// Reply is one choice of an answer. The zero value is an empty answer.
type Reply struct {
	Text string
	// Reasoning is shown in OpenRouter's style and hidden in OpenAI's; its tokens are billed in both. ReasoningTokens, if
	// not 0, is their number whatever the text is.
	Reasoning       string
	ReasoningTokens int64
	ToolCalls       []ToolCall
	// FinishReason, if not empty, is given instead of the one that fits: "stop", "length" or "tool_calls".
	FinishReason string
	// Cost, if not nil, is billed instead of what the model's rates come to; of several choices, the sum.
	Cost *farebox.Money
}

// ToolCall is a call of a tool by the model. Its name and its arguments count as output.
type ToolCall struct {
	ID        string // empty: one is made up
	Name      string
	Arguments string // JSON
}

// defaultReply answers in a few sentences that repeat the beginning of what was asked.
func defaultReply(p Prompt) Reply {
	topic := strings.Join(strings.Fields(p.Text), " ")
	if topic == "" {
		topic = "nothing at all"
	}
	return Reply{Text: fmt.Sprintf("You asked: %s. This is answer %d of a simulated provider, which knows nothing about it. "+
		"It says the same whenever it is asked.", firstTokens(topic, 32), p.Choice+1)}
}

// answer is what a model has made of a call.
type answer struct {
	call    *call
	style   Style
	byok    bool
	id      string
	created int64
	model   *Model
	choices []Reply // cut to the output limit, with their finish reasons
	usage   Usage
	cost    farebox.Money
	// Of cost, what the input is; 0 where a Reply fixed the cost.
	inputCost farebox.Money
	fixed     bool
}

// answer runs the model on a call that has been checked.
func (p *Provider) answer(id string, c *call) *answer {
	a := &answer{call: c, style: p.style, byok: p.byok, id: id, created: time.Now().Unix(), model: p.find(c)}
	a.usage.Prompt = c.promptTokens()
	a.usage.Cached = a.usage.Prompt * int64(a.model.CachedPercent) / 100
	var fixed *farebox.Money
	if c.op != embeddings {
		fixed = a.generate(p.reply)
	}
	if p.flat != nil {
		fixed = p.flat
	}
	a.price(fixed)
	return a
}

// generate makes the choices. It returns the cost that they set, if one does.
func (a *answer) generate(reply func(Prompt) Reply) (fixed *farebox.Money) {
	n := a.call.choices()
	limit := a.call.outputLimit(a.model)
	for i := range n {
		made := reply(Prompt{Model: a.call.Model, Text: a.call.asked(i / max(a.call.N, 1)), Choice: i})
		choice, reasoning, rest := made.limited(limit)
		a.choices = append(a.choices, choice)
		a.usage.Reasoning += reasoning
		a.usage.Completion += reasoning + rest
		if made.Cost != nil {
			sum := *made.Cost
			if fixed != nil {
				sum = sum.Add(*fixed)
			}
			fixed = &sum
		}
	}
	return fixed
}

func (a *answer) price(fixed *farebox.Money) {
	if fixed != nil {
		a.cost, a.fixed = *fixed, true
		return
	}
	input, rest := a.model.cost(a.usage)
	a.inputCost = moneyOf(input)
	a.cost = moneyOf(new(big.Rat).Add(input, rest))
}

// partial is what an answer has consumed and costs once these of its events were sent.
func (a *answer) partial(sent []event) (Usage, farebox.Money) {
	u := a.usage
	u.Completion, u.Reasoning = 0, 0
	for _, e := range sent {
		u.Completion += e.tokens
		u.Reasoning += e.reasoning
	}
	if a.fixed {
		return u, a.cost
	}
	input, rest := a.model.cost(u)
	return u, moneyOf(new(big.Rat).Add(input, rest))
}

// limited cuts a reply to an output limit, reasoning first, and counts its tokens.
func (r Reply) limited(limit int64) (cut Reply, reasoning, rest int64) {
	room := limit
	if limit <= 0 {
		room = 1 << 62
	}
	reasoning = r.ReasoningTokens
	if reasoning <= 0 {
		reasoning = Tokens(r.Reasoning)
	}
	whole := reasoning <= room
	if !whole {
		reasoning = room
		r.Reasoning = firstTokens(r.Reasoning, room)
	}
	r.ReasoningTokens = reasoning
	room -= reasoning
	if wanted := Tokens(r.Text); wanted > room {
		r.Text, whole = firstTokens(r.Text, room), false
	}
	rest = Tokens(r.Text)
	r.ToolCalls, rest, whole = limitTools(r.ToolCalls, room, rest, whole)
	if r.FinishReason == "" {
		r.FinishReason = finishReason(r, whole)
	}
	return r, reasoning, rest
}

// limitTools cuts tool calls to the room that the text has left, in the middle of their arguments if need be.
func limitTools(tools []ToolCall, room, used int64, whole bool) (cut []ToolCall, total int64, uncut bool) {
	for i, tool := range tools {
		left := room - used - Tokens(tool.Name)
		if left < 0 {
			return cut, used, false
		}
		if tool.ID == "" {
			tool.ID = fmt.Sprintf("call_%024d", i+1)
		}
		if Tokens(tool.Arguments) > left {
			tool.Arguments, whole = firstTokens(tool.Arguments, left), false
		}
		used += tool.tokens()
		cut = append(cut, tool)
	}
	return cut, used, whole
}

func (t *ToolCall) tokens() int64 { return Tokens(t.Name) + Tokens(t.Arguments) }

func finishReason(r Reply, whole bool) string {
	switch {
	case !whole:
		return "length"
	case len(r.ToolCalls) > 0:
		return "tool_calls"
	}
	return "stop"
}
