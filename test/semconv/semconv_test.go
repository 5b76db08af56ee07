// Package semconv tests farebox's names of attributes and metrics against OpenTelemetry's semantic conventions. It is a
// module of its own, so that the conventions' package, which changes with every version, is no dependency of farebox.
// Run it with -count=1: the go command keeps a result although a file outside the module has changed.
package semconv

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"strings"
	"testing"

	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/semconv/v1.41.0/genaiconv"
)

// The conventions' names, by the names of farebox's constants. v1.41 is the last version of the package that has the
// GenAI namespace; after it the namespace moved to a repository of its own.
var conventions = map[string]string{
	"attrOperation":       string(semconv.GenAIOperationNameKey),
	"attrProvider":        string(semconv.GenAIProviderNameKey),
	"attrRequestModel":    string(semconv.GenAIRequestModelKey),
	"attrResponseModel":   string(semconv.GenAIResponseModelKey),
	"attrResponseID":      string(semconv.GenAIResponseIDKey),
	"attrFinishReasons":   string(semconv.GenAIResponseFinishReasonsKey),
	"attrInputTokens":     string(semconv.GenAIUsageInputTokensKey),
	"attrOutputTokens":    string(semconv.GenAIUsageOutputTokensKey),
	"attrCacheReadTokens": string(semconv.GenAIUsageCacheReadInputTokensKey),
	"attrCacheWritten":    string(semconv.GenAIUsageCacheCreationInputTokensKey),
	"attrTokenType":       string(semconv.GenAITokenTypeKey),
	"attrServerAddress":   string(semconv.ServerAddressKey),
	"attrServerPort":      string(semconv.ServerPortKey),
	"attrErrorType":       string(semconv.ErrorTypeKey),
	"attrStatusCode":      string(semconv.HTTPResponseStatusCodeKey),
	"attrHTTPMethod":      string(semconv.HTTPRequestMethodKey),

	"metricDuration":   genaiconv.ClientOperationDuration{}.Name(),
	"metricTokens":     genaiconv.ClientTokenUsage{}.Name(),
	"metricFirstChunk": genaiconv.ClientOperationTimeToFirstChunk{}.Name(),

	"tokenTypeInput":  string(genaiconv.TokenTypeInput),
	"tokenTypeOutput": string(genaiconv.TokenTypeOutput),

	// Further names that farebox may come to use, so that a constant of theirs is checked from its first day.
	"attrReasoningTokens":  string(semconv.GenAIUsageReasoningOutputTokensKey),
	"attrStream":           string(semconv.GenAIRequestStreamKey),
	"attrTimeToFirstChunk": string(semconv.GenAIResponseTimeToFirstChunkKey),
}

// unconventional are the names of farebox's own that stand in a namespace of the conventions, and why.
var unconventional = map[string]string{
	"gen_ai.usage.cost": "the conventions have no name for cost; this is the one that backends read",
}

// TestNames reads the constants out of farebox's source: they are not exported, since they are nobody's to use.
func TestNames(t *testing.T) {
	t.Parallel()
	values := stringConstants(t, "../../semconv.go")
	if len(values) < 30 {
		t.Fatalf("only %d constants were found", len(values))
	}
	for name, value := range values {
		want, known := conventions[name]
		switch {
		case known && value != want:
			t.Errorf("%s = %q, the conventions say %q", name, value, want)
		case known, strings.HasPrefix(value, "farebox."), unconventional[value] != "":
		default:
			t.Errorf("%s = %q is neither of the conventions nor under farebox.", name, value)
		}
	}
}

// TestNamesAreUnique: one name given to two attributes, or to two metrics, would lose one of them.
func TestNamesAreUnique(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"attr", "metric"} {
		taken := map[string]string{}
		for name, value := range stringConstants(t, "../../semconv.go") {
			if !strings.HasPrefix(name, kind) {
				continue
			}
			if other, ok := taken[value]; ok {
				t.Errorf("%s and %s are both %q", name, other, value)
			}
			taken[value] = name
		}
	}
}

// TestOperations: farebox's operations are named as the conventions name them.
func TestOperations(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"Chat":           string(genaiconv.OperationNameChat),
		"TextCompletion": string(genaiconv.OperationNameTextCompletion),
		"Embeddings":     string(genaiconv.OperationNameEmbeddings),
	}
	values := stringConstants(t, "../../internal/wire/wire.go")
	for name, operation := range want {
		if values[name] != operation {
			t.Errorf("%s = %q, the conventions say %q", name, values[name], operation)
		}
	}
}

// TestProviders: the providers that the conventions name bear those names.
func TestProviders(t *testing.T) {
	t.Parallel()
	renamed := stringMap(t, "../../semconv.go", "conventionalProviders")
	ids := providerIDs(t, "../../providers.go")
	want := map[string]string{
		"openai":     semconv.GenAIProviderNameOpenAI.Value.AsString(),
		"azure":      semconv.GenAIProviderNameAzureAIOpenAI.Value.AsString(),
		"anthropic":  semconv.GenAIProviderNameAnthropic.Value.AsString(),
		"google":     semconv.GenAIProviderNameGCPGemini.Value.AsString(),
		"vertex":     semconv.GenAIProviderNameGCPVertexAI.Value.AsString(),
		"bedrock":    semconv.GenAIProviderNameAWSBedrock.Value.AsString(),
		"cohere":     semconv.GenAIProviderNameCohere.Value.AsString(),
		"deepseek":   semconv.GenAIProviderNameDeepseek.Value.AsString(),
		"groq":       semconv.GenAIProviderNameGroq.Value.AsString(),
		"mistral":    semconv.GenAIProviderNameMistralAI.Value.AsString(),
		"perplexity": semconv.GenAIProviderNamePerplexity.Value.AsString(),
		"xai":        semconv.GenAIProviderNameXAI.Value.AsString(),
	}
	for id, name := range want {
		shown, ok := renamed[id]
		if !ok {
			shown = id
		}
		if !ids[id] {
			t.Errorf("farebox knows no provider %q", id)
		}
		if shown != name {
			t.Errorf("provider %q is shown as %q, the conventions say %q", id, shown, name)
		}
	}
	for id := range renamed {
		if _, ok := want[id]; !ok {
			t.Errorf("provider %q is renamed, and the conventions have no name for it here", id)
		}
	}
}

func parse(t *testing.T, path string) *ast.File {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// stringConstants are the constants of a file whose value is a string literal, by name.
func stringConstants(t *testing.T, path string) map[string]string {
	t.Helper()
	values := map[string]string{}
	for _, decl := range parse(t, path).Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		for _, spec := range group.Specs {
			spec := spec.(*ast.ValueSpec)
			for i, name := range spec.Names {
				if i < len(spec.Values) && hasString(spec.Values[i]) {
					values[name.Name] = literal(t, spec.Values[i])
				}
			}
		}
	}
	return values
}

// hasString says whether an expression holds a string literal, as one of numbers does not.
func hasString(expr ast.Expr) (found bool) {
	ast.Inspect(expr, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			found = true
		}
		return !found
	})
	return found
}

// stringMap are the entries of a variable that is a map literal of strings.
func stringMap(t *testing.T, path, name string) map[string]string {
	t.Helper()
	entries := map[string]string{}
	ast.Inspect(parse(t, path), func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Names[0].Name != name {
			return true
		}
		for _, element := range spec.Values[0].(*ast.CompositeLit).Elts {
			pair := element.(*ast.KeyValueExpr)
			entries[literal(t, pair.Key)] = literal(t, pair.Value)
		}
		return false
	})
	if len(entries) == 0 {
		t.Fatalf("%s has no map %s", path, name)
	}
	return entries
}

// providerIDs are the values that the field id is given in a file's literals.
func providerIDs(t *testing.T, path string) map[string]bool {
	t.Helper()
	ids := map[string]bool{}
	ast.Inspect(parse(t, path), func(n ast.Node) bool {
		pair, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		if field, ok := pair.Key.(*ast.Ident); ok && field.Name == "id" {
			ids[literal(t, pair.Value)] = true
		}
		return true
	})
	return ids
}

// literal is the value of a string literal or of literals that are added up.
func literal(t *testing.T, expr ast.Expr) string {
	t.Helper()
	value, err := types.Eval(token.NewFileSet(), nil, token.NoPos, types.ExprString(expr))
	if err != nil || value.Value == nil || value.Value.Kind() != constant.String {
		t.Fatalf("%s is not a string literal", types.ExprString(expr))
	}
	return constant.StringVal(value.Value)
}
