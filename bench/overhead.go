package bench

import (
	"fmt"
	"net/http"

	"github.com/farebox-go/farebox"
)

// BaseURL is where subjects without a network believe that the provider is.
const BaseURL = "https://api.openai.com/v1"

// plenty is a cap that no benchmark reaches.
var plenty = farebox.Dollars(1_000_000)

// Budgets is a choice of budgets that all apply to every call of the benchmarks, and refuse none.
func Budgets(n int) farebox.MeterOption {
	windows := []farebox.Window{farebox.Daily, farebox.Monthly, {}, farebox.Hourly}
	budgets := make([]farebox.Budget, n)
	for i := range budgets {
		budgets[i] = farebox.Budget{Name: fmt.Sprintf("budget %d", i), Cap: plenty, Window: windows[i%len(windows)]}
	}
	return farebox.WithBudget(budgets...)
}

// PlainSubjects are the ways to make a call that is not streamed, the bare one first.
func PlainSubjects(base http.RoundTripper, baseURL string) ([]Subject, error) {
	var l list
	l.add("", Bare(base, baseURL), nil)
	l.make("", Metered, base, baseURL)
	l.make(" + budget", Metered, base, baseURL, Budgets(1))
	l.make("", Client, base, baseURL)
	l.make(" + budget", Client, base, baseURL, Budgets(1))
	return l.subjects, l.err
}

// StreamSubjects are the ways to make a call that is streamed, the bare ones first. Where the caller asks for no usage,
// farebox asks for it and takes it out of the answer again, by which every event passes through a filter.
func StreamSubjects(base http.RoundTripper, baseURL string) ([]Subject, error) {
	var l list
	l.add("", Bare(base, baseURL), nil)
	l.add("", BareWithUsage(base, baseURL), nil)
	l.make("", MeteredWithUsage, base, baseURL)
	l.make("", Metered, base, baseURL)
	l.make(" + budget", Metered, base, baseURL, Budgets(1))
	l.make("", Client, base, baseURL)
	return l.subjects, l.err
}

// RawSubjects are the ways to read a stream without decoding it, the bare one first.
func RawSubjects(base http.RoundTripper, baseURL string) ([]Subject, error) {
	var l list
	l.add("", Raw(base, baseURL), nil)
	l.make("", RawMetered, base, baseURL)
	return l.subjects, l.err
}

// list collects subjects until one cannot be made.
type list struct {
	subjects []Subject
	err      error
}

type maker func(base http.RoundTripper, baseURL string, options ...farebox.MeterOption) (Subject, error)

func (l *list) make(suffix string, m maker, base http.RoundTripper, baseURL string, options ...farebox.MeterOption) {
	s, err := m(base, baseURL, options...)
	l.add(suffix, s, err)
}

func (l *list) add(suffix string, s Subject, err error) {
	if l.err == nil {
		l.err = err
	}
	s.Name += suffix
	l.subjects = append(l.subjects, s)
}
