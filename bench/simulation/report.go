package simulation

import (
	"bufio"
	"fmt"
	"io"
)

// WriteTable writes results as a Markdown table for each scenario.
func WriteTable(w io.Writer, results []Result) error {
	out := bufio.NewWriter(w)
	scenario := ""
	for _, r := range results {
		if r.Scenario != scenario {
			scenario = r.Scenario
			fmt.Fprintf(out, "\n**%s**, %d runs each\n\n", scenario, r.Runs)
			fmt.Fprintln(out, "| policy | who | runs over the cap | overspend, median / most | cap used | false refusals | gave up early | refusals a run | answers cut | books short |")
			fmt.Fprintln(out, "|---|---|---|---|---|---|---|---|---|---|")
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s / %s | %s | %s | %s | %.0f | %s | %s |\n", r.Policy, r.Who, percent(r.OverCap),
			percent(r.OverspendMedian), percent(r.OverspendMost), percent(r.Used), percent(r.FalseRefusals), percent(r.LostEarly), r.Refusals,
			percent(r.Cut), percent(r.Short))
	}
	return out.Flush()
}

// percent writes a share; 0 stands for none at all, and nothing else is rounded to it.
func percent(share float64) string {
	switch p := share * 100; {
	case p == 0:
		return "0"
	case p < 0.05:
		return "<0.1 %"
	case p > 99.95 && p < 100:
		return ">99.9 %"
	case p >= 99.95:
		return fmt.Sprintf("%.0f %%", p)
	default:
		return fmt.Sprintf("%.1f %%", p)
	}
}
