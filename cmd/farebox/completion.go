package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/farebox-go/farebox"
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// scripts ask the program itself what may come next.
var scripts = map[string]string{
	"bash": `# eval "$(farebox completion bash)" in ~/.bashrc
_farebox() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do COMPREPLY+=("$line"); done < <(farebox __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _farebox farebox
`,
	"zsh": `#compdef farebox
# eval "$(farebox completion zsh)" in ~/.zshrc
_farebox() {
  local -a candidates
  candidates=("${(@f)$(farebox __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "${candidates[1]}" ]]; then compadd -a candidates; else _files; fi
}
compdef _farebox farebox
`,
	"fish": `# farebox completion fish | source in ~/.config/fish/config.fish
complete -c farebox -a '(farebox __complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`,
}

// Run prints a script.
func (c *completionCommand) Run(o *output) error {
	_, err := fmt.Fprint(o.to, scripts[c.Shell])
	return err
}

// completeCommand prints what may come next, one candidate on a line. The last word is the one that is being written.
type completeCommand struct {
	Words []string `arg:"" optional:"" passthrough:""`
}

// Run prints candidates.
func (c *completeCommand) Run(o *output, app *kong.Application) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	if len(words) == 0 {
		words = []string{""}
	}
	for _, candidate := range candidates(app, o.catalog, words) {
		if _, err := fmt.Fprintln(o.to, candidate); err != nil {
			return err
		}
	}
	return nil
}

// candidates are what the last of some words may become.
func candidates(app *kong.Application, catalog *farebox.Catalog, words []string) []string {
	node := app.Node
	var pending *kong.Flag // waits for its value
	for _, word := range words[:len(words)-1] {
		switch {
		case pending != nil:
			pending = nil
		case strings.HasPrefix(word, "-"):
			if flag := flagNamed(node, word); flag != nil && !strings.Contains(word, "=") && !flag.IsBool() {
				pending = flag
			}
		default:
			if child := childNamed(node, word); child != nil {
				node = child
			}
		}
	}
	last := words[len(words)-1]
	if pending != nil {
		return beginning(last, valuesOf(pending, catalog))
	}
	if name, value, ok := strings.Cut(last, "="); ok && strings.HasPrefix(last, "--") {
		if flag := flagNamed(node, name); flag != nil {
			return beginning(value, valuesOf(flag, catalog))
		}
		return nil
	}
	if strings.HasPrefix(last, "-") {
		return beginning(last, flagsOf(node))
	}
	return beginning(last, append(childrenOf(node), argumentsOf(node, catalog)...))
}

func childNamed(node *kong.Node, name string) *kong.Node {
	for _, child := range node.Children {
		if child.Name == name && child.Type == kong.CommandNode {
			return child
		}
	}
	return nil
}

func childrenOf(node *kong.Node) (names []string) {
	for _, child := range node.Children {
		if child.Type == kong.CommandNode && !child.Hidden {
			names = append(names, child.Name)
		}
	}
	return names
}

func flagNamed(node *kong.Node, word string) *kong.Flag {
	name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
	for _, group := range node.AllFlags(false) {
		for _, flag := range group {
			if flag.Name == name || flag.Short != 0 && string(flag.Short) == name || slices.Contains(flag.Aliases, name) {
				return flag
			}
		}
	}
	return nil
}

func flagsOf(node *kong.Node) (names []string) {
	for _, group := range node.AllFlags(true) {
		for _, flag := range group {
			names = append(names, "--"+flag.Name)
		}
	}
	return names
}

// valuesOf are the values that a flag may have, where they can be told.
func valuesOf(flag *kong.Flag, catalog *farebox.Catalog) []string {
	switch flag.Name {
	case "model", "models":
		return modelNames(catalog)
	case "provider", "endpoint":
		return providerNames(catalog)
	case "tier":
		return []string{"batch", "flex", "priority"}
	case "needs":
		return []string{"audio", "embedding", "files", "reasoning", "schema", "tools", "video", "vision"}
	}
	return enumOf(flag.Value)
}

// argumentsOf are the values that the arguments of a command may have.
func argumentsOf(node *kong.Node, catalog *farebox.Catalog) []string {
	var values []string
	for _, argument := range node.Positional {
		switch {
		case node.Name == "refresh" || node.Name == "diff":
			values = append(values, "catwalk", "genai-prices", "litellm", "models.dev", "openrouter")
		case argument.Name == "model":
			values = append(values, modelNames(catalog)...)
		default:
			values = append(values, enumOf(argument)...)
		}
	}
	return values
}

func enumOf(value *kong.Value) []string {
	if value.Enum == "" || value.Target.Kind() != reflect.String {
		return nil
	}
	return strings.Split(value.Enum, ",")
}

func modelNames(catalog *farebox.Catalog) (names []string) {
	for m := range catalog.Models() {
		names = append(names, m.Name)
	}
	return names
}

func providerNames(catalog *farebox.Catalog) (names []string) {
	for m := range catalog.Models() {
		names = append(names, m.Provider)
	}
	return names
}

// beginning keeps the values that begin with a text, sorted and each once.
func beginning(text string, values []string) []string {
	values = slices.DeleteFunc(values, func(v string) bool { return !strings.HasPrefix(v, text) || v == "" })
	slices.Sort(values)
	return slices.Compact(values)
}
