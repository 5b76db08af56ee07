package prompt

import (
	"strings"

	"github.com/pkoukk/tiktoken-go"

	"github.com/farebox-go/farebox/internal/bpe"
)

// perMille is what ratios are in.
const perMille = 1000

// family is how the models of one family count a request.
type family struct {
	name        string
	encoding    string
	own         bool    // the encoding is the models' own, and what they put around texts is known
	ratio       int64   // tokens of the model to a thousand of the encoding's
	boundsText  bool    // a bound is claimed for requests without tools and schemas
	boundsTools bool    // and for those with them
	band        float64 // percent, for [Estimate.Band]
	toolBand    float64
	typescript  bool // tools are shown as declarations in TypeScript, not as JSON
	forgetful   bool // the thoughts in front of earlier answers are left out
	around      around
	native      *around // in the Responses API of OpenAI's and in Anthropic's Messages API, where that differs from chats
	image       imageRule
	sound       int64 // tokens per second of sound; 0: not known
	page        int64 // tokens of a document's page; 0: not known
	source      string
}

// around is what is put around texts, in tokens; ratios in thousandths.
type around struct {
	priming  int64 // for each request
	system   int64 // more where there is a system message
	message  int64 // for each message, its role included
	replay   int64 // more for each message of the assistant's that says something
	call     int64 // for each call that an earlier answer made
	callName int64 // times its name is counted again
	parallel int64 // more for a message with several calls
	thinking int64 // where the model is told to think

	tools        int64 // where tools are offered
	tool         int64 // for each of them
	shaped       int64 // for each that has parameters
	toolText     int64 // times the text of the tools
	toolSystem   int64 // for tools where there is a system message
	toolThinking int64 // for tools where the model is told to think
	schema       int64 // where the answer has to follow a schema, besides its text
}

func (f *family) vocabulary() (*bpe.Encoding, error) { return bpe.ByName(f.encoding) }

// familyOf finds the family of a model. Rules for an endpoint come first, then OpenAI's older names, then the longest
// prefix of the model's own name; last, names inside it, as in "us.anthropic.claude-sonnet-4-5".
func familyOf(model string) *family {
	name := strings.ToLower(model)
	if f := longest(endpointRules, name); f != nil {
		return f
	}
	name = name[strings.LastIndexByte(name, '/')+1:]
	name = strings.TrimPrefix(name, "ft:")
	if f := longest(modelRules, name); f != nil {
		return f
	}
	if f := completionFamilies[tiktoken.MODEL_TO_ENCODING[name]]; f != nil {
		return f
	}
	for i := range len(name) {
		if strings.IndexByte(".-:@_", name[i]) >= 0 {
			if f := longest(innerRules, name[i+1:]); f != nil {
				return f
			}
		}
	}
	return &unknown
}

// rule gives the family of the names that begin with a prefix.
type rule struct {
	prefix string
	family *family
}

// longest finds the rule with the longest prefix of name.
func longest(rules []rule, name string) *family {
	best := rule{}
	for _, r := range rules {
		if len(r.prefix) > len(best.prefix) && strings.HasPrefix(name, r.prefix) {
			best = r
		}
	}
	return best.family
}

// innerRules are the rules that are long enough to be meant where they occur inside a name.
var innerRules = func() (rules []rule) {
	const enough = 5
	for _, r := range modelRules {
		if len(r.prefix) >= enough {
			rules = append(rules, r)
		}
	}
	return rules
}()

// completionFamilies are those of OpenAI's models before chats, and of its embeddings, by encoding.
var completionFamilies = map[string]*family{
	tiktoken.MODEL_CL100K_BASE: &openaiText,
	tiktoken.MODEL_P50K_BASE:   &openaiP50k,
	tiktoken.MODEL_R50K_BASE:   &openaiR50k,
	"gpt2":                     &openaiR50k,
}
