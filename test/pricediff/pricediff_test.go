package pricediff

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/farebox-go/farebox"
)

var update = flag.Bool("update", false, "write docs/price-differences.md anew")

const (
	usages   = 5000
	seed     = 4711
	document = "../../docs/price-differences.md"
)

// tally counts what came of asking one package.
type tally struct {
	asked, agreed int
	reasons       map[string]int
	models        map[string]map[string]bool // of each reason
	rates         map[string][2]string       // of models on which the lists disagree: ours, theirs
}

func (t *tally) add(q *question, reason string) {
	t.asked++
	if reason == reasonAgree {
		t.agreed++
		return
	}
	if t.reasons == nil {
		t.reasons, t.models = map[string]int{}, map[string]map[string]bool{}
	}
	t.reasons[reason]++
	if t.models[reason] == nil {
		t.models[reason] = map[string]bool{}
	}
	t.models[reason][q.Provider+"/"+q.Model] = true
}

func TestDifferencesAreExplained(t *testing.T) {
	for _, tool := range []string{"node", "npm", "tar"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not here: other libraries cannot be asked", tool)
		}
	}
	others, err := fetch(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	catalog, err := farebox.NewCatalog()
	if err != nil {
		t.Fatal(err)
	}
	candidates := models(catalog)
	answers, err := others.ask(t.Context(), candidates)
	if err != nil {
		t.Fatal(err)
	}
	var known []question
	for i, a := range answers {
		if a.GenAI == nil {
			candidates[i].GenAIProvider = ""
		}
		if a.AISDK == nil {
			candidates[i].AISDKProvider = ""
		}
		if a.GenAI != nil || a.AISDK != nil {
			known = append(known, candidates[i])
		}
	}
	questions := generate(known, usages, seed)
	if answers, err = others.ask(t.Context(), questions); err != nil {
		t.Fatal(err)
	}
	var genai, aisdk tally
	for i := range questions {
		q := &questions[i]
		ours, err := catalog.Cost(q.Provider, q.Model, q.usage(), q.time())
		if err != nil || !ours.Complete {
			t.Errorf("%+v: %v (complete: %t)", q, err, ours.Complete)
			continue
		}
		if a := &answers[i]; a.GenAI != nil {
			genai.explain(t, q, a.GenAI.Total, ours, q.explainGenAI(ours, a))
		}
		if a := &answers[i]; a.AISDK != nil {
			reason := q.explainAISDK(catalog, ours, a)
			aisdk.explain(t, q, a.AISDK.Total, ours, reason)
			if reason == reasonOtherList || reason == reasonCatwalk {
				aisdk.list(q, catalog, a.AISDK.Rates)
			}
		}
	}
	if genai.asked < usages/2 || aisdk.asked < usages/4 {
		t.Errorf("only %d and %d answers", genai.asked, aisdk.asked)
	}
	checkDocument(t, report(len(known), &genai, &aisdk))
}

func (t *tally) explain(test *testing.T, q *question, theirs float64, ours farebox.Computation, reason string) {
	t.add(q, reason)
	if reason == reasonUnexplained && t.reasons[reason] <= 25 {
		test.Errorf("unexplained: %+v: theirs $%v, ours %s by %s: %+v", *q, theirs, ours.Total, ours.Price.Source, ours.Lines)
	}
}

// list notes what both lists say of a model, in dollars per million tokens.
func (t *tally) list(q *question, catalog *farebox.Catalog, theirs map[string]json.Number) {
	if t.rates == nil {
		t.rates = map[string][2]string{}
	}
	m, _ := catalog.Find(q.Provider, q.Model)
	price := m.Prices[len(m.Prices)-1]
	var both [2][]string
	for _, r := range []struct {
		name, theirs string
		dimension    farebox.Dimension
	}{
		{"input", "inputPer1MTokens", farebox.DimensionInput}, {"cached", "cacheReadPer1MTokens", farebox.DimensionCacheRead},
		{"written", "cacheWritePer1MTokens", farebox.DimensionCacheWrite}, {"output", "outputPer1MTokens", farebox.DimensionOutput},
	} {
		if rate, ok := price.Rates[r.dimension]; ok {
			both[0] = append(both[0], r.name+" "+rate.PerMillionString())
		}
		if rate, ok := theirs[r.theirs]; ok {
			both[1] = append(both[1], r.name+" "+rate.String())
		}
	}
	if fee, ok := price.Rates[farebox.DimensionRequest]; ok {
		both[0] = append(both[0], "$"+fee.String()+" a request")
	}
	if len(price.Tiers) > 0 {
		both[0] = append(both[0], "tiers")
	}
	if theirs["longContextInputPer1MTokens"] != "" {
		both[1] = append(both[1], "tiers")
	}
	if len(m.Prices) > 1 || len(price.Overrides) > 0 && price.Overrides[0].When.Start != price.Overrides[0].When.End {
		both[0] = append(both[0], "by date or hour")
	}
	t.rates[q.Provider+"/"+q.Model] = [2]string{strings.Join(both[0], ", "), strings.Join(both[1], ", ")}
}

func checkDocument(t *testing.T, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(document, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != text {
		t.Errorf("docs/price-differences.md is not what came of this run; go test ./test/pricediff -update writes it anew. It would say:\n%s", text)
	}
}

// report writes the document.
func report(known int, genai, aisdk *tally) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Where other libraries say another price

Written by `+"`go test ./test/pricediff -update`"+`; the test fails where a difference is not explained, and where this page is
not what came of it. %s usages (seed %d) over the %s names of models that the snapshot shares with one of two npm packages
are priced by each: with tokens of all sizes, cached, written to a cache, of reasoning, around the thresholds of long inputs,
at times on both sides of prices that changed. Answers count as the same within one part in 1e9, which is the noise of their
floating point, and $0.000003 for ai-sdk-cost-calculator, which rounds each part of a sum to $0.000001. To tell a difference of
lists from one of arithmetic, each usage that differs is priced a second time by farebox's arithmetic on the other package's
own rates: in every row below but that on cache writes this gives the other package's answer, so that the difference is one of
lists. No difference is left over.
`, grouped(usages), seed, grouped(known))
	genai.write(&b, genaiPackage)
	aisdk.write(&b, aisdkPackage)
	b.WriteString("\nWhat the two lists say of the models on which they have other prices, in dollars per million tokens:\n\n| model | farebox | ai-sdk-cost-calculator |\n|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(aisdk.rates)) {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, aisdk.rates[name][0], aisdk.rates[name][1])
	}
	return b.String()
}

func (t *tally) write(b *strings.Builder, name string) {
	fmt.Fprintf(b, "\n## %s\n\n%s of %s answers are the same", name, grouped(t.agreed), grouped(t.asked))
	if len(t.reasons) == 0 {
		b.WriteString(".\n")
		return
	}
	b.WriteString("; the others:\n\n| answers | why | models |\n|---:|---|---|\n")
	byCount := func(a, b string) int { return cmp.Or(cmp.Compare(t.reasons[b], t.reasons[a]), cmp.Compare(a, b)) }
	for _, reason := range slices.SortedFunc(maps.Keys(t.reasons), byCount) {
		names := slices.Sorted(maps.Keys(t.models[reason]))
		models := strings.Join(names, ", ")
		if reason == reasonOtherList || reason == reasonCatwalk {
			models = "see below"
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", grouped(t.reasons[reason]), reason, models)
	}
}

// grouped writes a number with a comma before its last three digits.
func grouped(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}
