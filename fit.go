package farebox

import "time"

// outputThatFits is the largest output limit of one answer with which a call fits every budget of its hold; 0: none.
func (g *Guard) outputThatFits(h *hold, q *quoted, now time.Time) int64 {
	limit := q.MostOutputTokens / max(q.choices, 1)
	if room, limited := g.roomIn(UnitRequests, h, now); limited && room < 1 {
		return 0
	}
	if room, limited := g.roomIn(UnitTokens, h, now); limited {
		limit = min(limit, max(0, room-q.MostInputTokens)/max(q.choices, 1))
	}
	if room, limited := g.room(h, now); limited {
		limit = min(limit, q.affordableOutput(room))
	}
	return limit
}
