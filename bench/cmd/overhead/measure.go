package main

// figure is what one thing costs once.
type figure struct{ ns, allocs float64 }

// measure measures n things in turn, so many rounds, and returns the quickest round of each: what else runs on the
// machine can only make a round slower.
func measure(rounds, n int, one func(i int) figure) []figure {
	quickest := make([]figure, n)
	for round := range rounds {
		for i := range n {
			if f := one(i); round == 0 || f.ns < quickest[i].ns {
				quickest[i] = f
			}
		}
	}
	return quickest
}

// slope is what one chunk more costs, from what a short and a long stream cost: what a call costs once cancels out.
func slope(short, long figure, chunks int) figure {
	return figure{ns: (long.ns - short.ns) / float64(chunks), allocs: (long.allocs - short.allocs) / float64(chunks)}
}
