package farebox

import "strings"

// find looks a model up; nil where there is none. It tries the name as it is, then without what does not change its price,
// then the provider's other spellings of the same name. No name is found by how it starts.
func (c *Catalog) find(provider, name string) *catalogModel {
	state := c.load()
	if m := state.findNamed(provider, name); m != nil {
		return m
	}
	switch provider {
	case "openrouter":
		return state.findPermaslug(name)
	case "azure": // Azure bills OpenAI's models under their own names
		return state.findNamed("openai", name)
	case "openai":
		if base, tuned := tunedFrom(name); tuned {
			return state.findNamed(provider, base)
		}
	case "google", "vertex":
		return state.findGoogle(provider, name)
	case "bedrock":
		return state.findBedrock(name)
	case "litellm", "vercel": // gateways that name the provider in front of the model
		if upstream, bare, ok := strings.Cut(name, "/"); ok {
			return c.find(upstream, bare)
		}
	}
	return nil
}

// findAdded looks a model up among those that were added, and not in the snapshot: an endpoint that happens to be named as
// a provider does not take that provider's prices.
func (c *Catalog) findAdded(provider, name string) *catalogModel {
	state := catalogState{added: c.load().added}
	if len(state.added) == 0 {
		return nil
	}
	return state.findNamed(provider, name)
}

// findNamed tries a name, then the name without what does not change its price.
func (s *catalogState) findNamed(provider, name string) *catalogModel {
	if m := s.exact(provider, name); m != nil {
		return m
	}
	if provider == "openrouter" {
		bare := withoutRoutingVariant(name)
		if m := s.exact(provider, bare); m != nil {
			return m
		}
		name = bare
	}
	if bare, dated := withoutDate(name); dated {
		return s.exact(provider, bare)
	}
	return nil
}

// findPermaslug looks up the permanent name that OpenRouter answers with for Anthropic's models. It has the version before
// the family: "anthropic/claude-4.6-sonnet-20260217" is "anthropic/claude-sonnet-4.6" (recorded traffic of 2026).
func (s *catalogState) findPermaslug(name string) *catalogModel {
	const author = "anthropic/claude-"
	bare, _ := withoutDate(withoutRoutingVariant(name))
	words, ok := strings.CutPrefix(bare, author)
	if !ok {
		return nil
	}
	version, family, ok := strings.Cut(words, "-")
	if !ok || strings.ContainsAny(family, "-:") || version == "" || version[0] < '0' || version[0] > '9' {
		return nil
	}
	return s.exact("openrouter", author+family+"-"+version)
}

// tunedFrom is the name under which OpenAI's fine-tuned models of one base are priced: "ft:gpt-4o-2024-08-06" of
// "ft:gpt-4o-2024-08-06:acme::x". They cost more than the base, so its own price never stands in.
func tunedFrom(name string) (base string, tuned bool) {
	rest, tuned := strings.CutPrefix(name, "ft:")
	if !tuned {
		return "", false
	}
	model, _, named := strings.Cut(rest, ":")
	return name[:len("ft:")+len(model)], named
}

// findGoogle takes off the paths that Google's APIs put in front of models, and the versions that Vertex puts behind those
// of others: "models/gemini-2.5-pro", "publishers/anthropic/models/claude-sonnet-4-5@20250929", "claude-3.5-sonnet@abc".
func (s *catalogState) findGoogle(provider, name string) *catalogModel {
	bare := name
	if at := strings.LastIndex(bare, "models/"); at >= 0 && (at == 0 || bare[at-1] == '/') {
		bare = bare[at+len("models/"):]
	}
	if m := s.findNamed(provider, bare); m != nil || provider == "google" {
		return m
	}
	if m := s.exact(provider, strings.Replace(bare, "@", "-", 1)); m != nil {
		return m // claude-haiku-4-5@20251001, which some lists know as claude-haiku-4-5-20251001
	}
	bare, _, _ = strings.Cut(bare, "@")
	if m := s.exact(provider, bare); m != nil {
		return m
	}
	if strings.HasPrefix(bare, "claude-") && strings.Contains(bare, ".") {
		return s.exact(provider, strings.ReplaceAll(bare, ".", "-"))
	}
	return nil
}

// bedrockRegions stand in front of the models of Bedrock's inference profiles (docs.aws.amazon.com/bedrock, inference
// profiles, 2026-11). All but global cost what the region does.
var bedrockRegions = [...]string{"us", "eu", "apac", "us-gov", "jp", "au", "ca"}

// findBedrock looks up a model of Bedrock's under the names of the profiles that cost the same: a model without a region is
// invoked in one, and a region without a row of its own costs what another does. The global profile is a price of its own.
func (s *catalogState) findBedrock(name string) *catalogModel {
	if at := strings.LastIndexByte(name, '/'); at >= 0 { // arn:aws:bedrock:us-east-1:…:inference-profile/us.anthropic…
		name = name[at+1:]
		if m := s.exact("bedrock", name); m != nil {
			return m
		}
	}
	region, model, ok := strings.Cut(name, ".")
	regional := false
	for _, known := range bedrockRegions {
		regional = regional || (ok && region == known)
	}
	if !regional {
		if ok && region == "global" {
			return s.exact("bedrock", model)
		}
		model = name
	} else if m := s.exact("bedrock", model); m != nil {
		return m
	}
	for _, other := range bedrockRegions {
		if m := s.exact("bedrock", other+"."+model); m != nil {
			return m
		}
	}
	return nil
}

// withoutRoutingVariant drops the suffixes that say how OpenRouter is to route, which leave the price as it is
// (openrouter.ai/docs/features/provider-routing). Others (":free", ":thinking", …) are models of their own.
func withoutRoutingVariant(name string) string {
	bare, variant, ok := strings.Cut(name, ":")
	if !ok {
		return name
	}
	switch variant {
	case "nitro", "floor", "online", "exacto":
		return bare
	}
	return name
}

// withoutDate drops a release date from the end of a name: -2024-08-06, -20240806 or @20240806.
func withoutDate(name string) (bare string, dated bool) {
	for _, form := range [...]string{"-0000-00-00", "-00000000", "@00000000"} {
		if cut := len(name) - len(form); cut > 0 && hasForm(name[cut:], form) {
			return name[:cut], true
		}
	}
	return name, false
}

// hasForm says whether text has a digit wherever form has a 0 and form's own byte elsewhere.
func hasForm(text, form string) bool {
	for i := range len(form) {
		digit := text[i] >= '0' && text[i] <= '9'
		if (form[i] == '0') != digit || (!digit && text[i] != form[i]) {
			return false
		}
	}
	return true
}
