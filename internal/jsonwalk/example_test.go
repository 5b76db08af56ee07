package jsonwalk_test

import (
	"fmt"

	"github.com/farebox-go/farebox/internal/jsonwalk"
)

func ExampleReader() {
	r := jsonwalk.NewReader([]byte(`{"model":"gpt-4o","stop":["a","b"],"n":2.0}`))
	if r.Object() {
		for r.Member() {
			switch string(r.Key()) {
			case "model":
				model, _ := r.AppendText(nil)
				fmt.Printf("model %s\n", model)
			case "n":
				n, err := jsonwalk.Int(r.Raw())
				fmt.Println("n", n, err)
			}
		}
	}
	r.End()
	fmt.Println(r.Err())
	// Output:
	// model gpt-4o
	// n 2 <nil>
	// <nil>
}

func ExampleScanner() {
	plan := jsonwalk.MustPlan(
		jsonwalk.Want{Path: "usage", Limit: 1 << 10},
		jsonwalk.Want{Path: "choices[].message.content"},
	)
	s := plan.NewScanner()
	for _, piece := range []string{`{"choices":[{"message":{"content":"caf\u0`, `0e9"}}],"us`, `age":{"total_tokens":3}}`} {
		s.Write([]byte(piece))
	}
	usage, found, _ := s.Value(0)
	fmt.Println(string(usage), found, s.Counted(1), s.Complete())
	// Output: {"total_tokens":3} true 5 true
}

// ExampleResume walks the second of two documents from where it differs from the first.
func ExampleResume() {
	first, second := []byte(`{"id":"c1","text":"one","n":1}`), []byte(`{"id":"c1","text":"two","n":2}`)
	r := jsonwalk.NewReader(first)
	r.Object()
	for r.Member() && string(r.Key()) != "text" {
	}
	mark, n, _ := r.Mark()
	fmt.Printf("%s\n", first[:n])

	r = jsonwalk.Resume(second, mark)
	fmt.Printf("%s %s\n", r.Key(), r.Raw())
	for r.Member() {
		fmt.Printf("%s %s\n", r.Key(), r.Raw())
	}
	// Output:
	// {"id":"c1","text":
	// text "two"
	// n 2
}
