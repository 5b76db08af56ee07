package gemini

import (
	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/document"
	"github.com/farebox-go/farebox/internal/wire/usage"
)

// What an interaction, or an event that may carry one, is searched for.
const (
	wantThisID = iota
	wantThisModel
	wantThisUsage
	wantThisStatus
	wantThisTier
	wantCarriedID
	wantCarriedModel
	wantCarriedUsage
	wantCarriedStatus
	wantCarriedTier
	wantThisError
	wantCarriedError
	wantOutput // and all that follow count text
)

var interactionPlan = document.MustPlan(wantOutput,
	jsonwalk.Want{Path: "id", Limit: document.MaxName},
	jsonwalk.Want{Path: "model", Limit: document.MaxName},
	jsonwalk.Want{Path: "usage", Limit: usage.MaxBytes},
	jsonwalk.Want{Path: "status", Limit: document.MaxName},
	jsonwalk.Want{Path: "service_tier", Limit: document.MaxName},
	jsonwalk.Want{Path: "interaction.id", Limit: document.MaxName},
	jsonwalk.Want{Path: "interaction.model", Limit: document.MaxName},
	jsonwalk.Want{Path: "interaction.usage", Limit: usage.MaxBytes},
	jsonwalk.Want{Path: "interaction.status", Limit: document.MaxName},
	jsonwalk.Want{Path: "interaction.service_tier", Limit: document.MaxName},
	jsonwalk.Want{Path: "error", Limit: document.MaxError},
	jsonwalk.Want{Path: "interaction.error", Limit: document.MaxError},
	jsonwalk.Want{Path: "steps[].content[].text"},
	jsonwalk.Want{Path: "steps[].arguments", Limit: jsonwalk.CountRaw},
	jsonwalk.Want{Path: "outputs[].text"},
	jsonwalk.Want{Path: "outputs[].arguments", Limit: jsonwalk.CountRaw},
	jsonwalk.Want{Path: "delta.text"},
	jsonwalk.Want{Path: "delta.arguments"},
	jsonwalk.Want{Path: "delta.content.text"},
)

// interaction gathers what an interaction says.
type interaction struct{ *answer }

// Collect implements [document.Reading].
func (i *interaction) Collect(found document.Found) {
	found.Fail(wantThisError, &i.answer.Answer)
	found.Fail(wantCarriedError, &i.answer.Answer)
	for _, from := range [...]int{wantThisID, wantCarriedID} {
		at := func(want int) int { return from + want - wantThisID }
		found.Text(at(wantThisID), &i.ID)
		found.Text(at(wantThisModel), &i.Model)
		var tier string
		if found.Text(at(wantThisTier), &tier); tier != "" {
			i.counts.tier, i.ServiceTier = tierOf(tier), tierOf(tier)
		}
		if raw, ok := found.Value(at(wantThisUsage)); ok {
			i.usage(raw)
		}
		i.status(found, at(wantThisStatus))
	}
}

// status reads how far the interaction has come. One that runs in the background is answered before it has begun.
func (i *interaction) status(found document.Found, want int) {
	var status string
	found.Text(want, &status)
	switch status {
	case "":
		return
	case "queued", "in_progress":
		i.Pending = true
		return
	case "failed":
		if i.Err == nil {
			i.Err = &wire.Error{Message: "the interaction failed"}
		}
	}
	i.Pending, i.FinishReason = false, status
}

// interactionStream reads the events of an interaction.
type interactionStream struct{ document.Stream }

func newInteractionStream(of *wire.Request) *interactionStream {
	return &interactionStream{*document.NewStream(interactionPlan, &interaction{newAnswer(of)})}
}

// Event implements [wire.StreamReader]. A stream that is running is not pending.
func (s *interactionStream) Event(name, data []byte) (usageOnly bool) {
	a := s.Answer()
	switch {
	case string(name) == "done" || string(data) == "[DONE]":
		a.Done = true
	default:
		s.Stream.Event(name, data)
		a.Pending = false
	}
	return false
}
