package catalog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// formatVersion is the first line's number; it changes when an old reader would misread a new file.
const formatVersion = "2"

// absent stands for an empty column.
const absent = "-"

// FormatError says where a price list is not written as it should be.
type FormatError struct {
	Line   int    // counted from 1
	Reason string // what is wrong and what was expected
}

// Error implements error.
func (e *FormatError) Error() string {
	return fmt.Sprintf("price list, line %d: %s", e.Line, e.Reason)
}

// Parse reads a price list. Strings in the Table share text's memory. An error is a [*FormatError].
//
// The format is made of lines with tab-separated columns; "#" starts a comment line, "-" is an empty column:
//
//	format    2
//	source    <letter> <YYYY-MM-DD> <name and version>
//	provider  <name>                                     the provider of the lines that follow
//	<model> <aliases> <from> <source> <kind> <modalities> <abilities> <context> <max output> <price>
//
// aliases are separated by spaces; from is a date; source is a letter from the header, or several; kind is chat, embedding or other.
// Modalities are letters, inputs before ">" and outputs after it: t(ext) i(mage) a(udio) v(ideo) f(ile). Abilities are
// T(ools), R(easoning) and S(tructured output), in small letters where the model is known to lack them. A price is "free",
// "variable" or a list of dimension=decimal separated by spaces, in which ">200000" or ">=200000" opens a tier and any other
// condition an override: "@16:30-00:30" hours, "%12345" days (Monday is 1), "#flex" a service tier, "~us" a region, "!fast" a
// speed, several of them joined by "&" ("#priority&>=200000"); "*0.5" in an override multiplies. Tiers come before
// overrides. Lines are sorted by provider, model and date.
func Parse(text string) (*Table, error) {
	p := newParser(text)
	for rest := text; rest != ""; {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		p.line++
		if line == "" || line[0] == '#' {
			continue
		}
		if reason := p.parseLine(line); reason != "" {
			return nil, &FormatError{Line: p.line, Reason: reason}
		}
	}
	if !p.versioned {
		return nil, &FormatError{Line: 1, Reason: "no line says which format this is"}
	}
	return &p.table, nil
}

// parser holds the state between lines. Rows, rates and aliases are cut from slabs that are sized up front: a
// snapshot of thousands of rows is decoded with a handful of allocations.
type parser struct {
	table     Table
	line      int
	versioned bool
	provider  string
	sources   map[string]Source

	rates   []Rate
	aliases []string
}

func newParser(text string) *parser {
	return &parser{
		table:   Table{Rows: make([]Row, 0, strings.Count(text, "\n")+1)},
		sources: make(map[string]Source),
		rates:   make([]Rate, 0, strings.Count(text, "=")),
		aliases: make([]string, 0, strings.Count(text, " ")),
	}
}

// parseLine reads one line that is neither empty nor a comment; it returns what is wrong with it.
func (p *parser) parseLine(line string) (reason string) {
	keyword, rest, _ := strings.Cut(line, "\t")
	if !p.versioned {
		if keyword != "format" || rest != formatVersion {
			return fmt.Sprintf("starts with %.40q, want format %s", line, formatVersion)
		}
		p.versioned = true
		return ""
	}
	switch keyword {
	case "source":
		return p.parseSource(rest)
	case "provider":
		return p.parseProvider(rest)
	}
	return p.parseRow(line)
}

func (p *parser) parseSource(rest string) (reason string) {
	letter, rest, _ := strings.Cut(rest, "\t")
	if len(letter) > 1 {
		return "a source has one letter"
	}
	date, name, _ := strings.Cut(rest, "\t")
	asOf, err := time.Parse(time.DateOnly, date)
	if err != nil || letter == "" || name == "" {
		return "a source needs a letter, a date and a name"
	}
	if _, dup := p.sources[letter]; dup {
		return fmt.Sprintf("source %q is already taken", letter)
	}
	source := Source{Name: name, AsOf: asOf}
	p.sources[letter] = source
	p.table.Sources = append(p.table.Sources, source)
	return ""
}

// source finds a source by its letter, or one made of several: the list that a price came from, then what was added to it.
func (p *parser) source(letters string) (Source, bool) {
	if source, ok := p.sources[letters]; ok {
		return source, true
	}
	var joined Source
	for i := range len(letters) {
		source, ok := p.sources[letters[i:i+1]]
		if !ok {
			return Source{}, false
		}
		if i == 0 {
			joined = source
		} else {
			joined.Name += "; " + source.Name
		}
	}
	p.sources[letters] = joined
	return joined, true
}

func (p *parser) parseProvider(name string) (reason string) {
	if name == "" || name == absent || strings.ContainsAny(name, " \t") {
		return fmt.Sprintf("%.40q is no provider's name", name)
	}
	if name <= p.provider {
		return fmt.Sprintf("provider %q is not sorted behind %q", name, p.provider)
	}
	p.provider = name
	return ""
}

// The columns of a row.
const (
	colModel = iota
	colAliases
	colFrom
	colSource
	colKind
	colModalities
	colAbilities
	colContext
	colMaxOutput
	colPrice
	columnCount
)

func (p *parser) parseRow(line string) (reason string) {
	var col [columnCount]string
	if !splitColumns(line, &col) {
		return fmt.Sprintf("a price has %d columns, all filled", columnCount)
	}
	if p.provider == "" {
		return "a price stands before any provider"
	}
	source, ok := p.source(col[colSource])
	if !ok {
		return fmt.Sprintf("source %.10q is not in the header", col[colSource])
	}
	row := Row{Provider: p.provider, Model: col[colModel], Source: source.Name, AsOf: source.AsOf}
	if reason := row.parseFacts(&col); reason != "" {
		return reason
	}
	if col[colAliases] != absent && !p.parseAliases(&row, col[colAliases]) {
		return fmt.Sprintf("aliases are %.40q, want names with a space between them", col[colAliases])
	}
	if reason := p.parsePrice(&row, col[colPrice]); reason != "" {
		return reason
	}
	if !p.inOrder(&row) {
		return fmt.Sprintf("%s/%s is a duplicate or not in order", row.Provider, row.Model)
	}
	p.table.Rows = append(p.table.Rows, row)
	return ""
}

// splitColumns reports whether the line has exactly as many columns as col, none of them empty, and names a model.
func splitColumns(line string, col *[columnCount]string) bool {
	for i := range col {
		value, rest, more := strings.Cut(line, "\t")
		if value == "" || more != (i < columnCount-1) {
			return false
		}
		col[i], line = value, rest
	}
	return col[colModel] != absent && !strings.Contains(col[colModel], " ")
}

// parseFacts fills in everything but names and prices.
func (r *Row) parseFacts(col *[columnCount]string) (reason string) {
	switch col[colKind] {
	case "chat":
	case "embedding":
		r.Embedding = true
	case "other":
		r.Other = true
	default:
		return fmt.Sprintf("kind is %.20q, want chat, embedding or other", col[colKind])
	}
	if from := col[colFrom]; from != absent {
		var err error
		if r.From, err = time.Parse(time.DateOnly, from); err != nil {
			return fmt.Sprintf("%.20q is no date such as 2026-01-31", from)
		}
	}
	var ok bool
	if r.Inputs, r.Outputs, ok = parseModalities(col[colModalities]); !ok {
		return fmt.Sprintf("modalities are %.20q, want letters of tiavf on both sides of >", col[colModalities])
	}
	if !r.parseAbilities(col[colAbilities]) {
		return fmt.Sprintf("abilities are %.20q, want letters of TRS", col[colAbilities])
	}
	if r.ContextTokens, ok = parseCount(col[colContext]); !ok {
		return fmt.Sprintf("context window is %.20q, want a positive number", col[colContext])
	}
	if r.MaxOutputTokens, ok = parseCount(col[colMaxOutput]); !ok {
		return fmt.Sprintf("output limit is %.20q, want a positive number", col[colMaxOutput])
	}
	return ""
}

func parseModalities(s string) (in, out Modality, ok bool) {
	if s == absent {
		return 0, 0, true
	}
	left, right, found := strings.Cut(s, ">")
	in, okIn := parseModalitySet(left)
	out, okOut := parseModalitySet(right)
	return in, out, found && okIn && okOut
}

func parseModalitySet(s string) (set Modality, ok bool) {
	for i := range len(s) {
		bit := strings.IndexByte("tiavf", s[i])
		if bit < 0 {
			return 0, false
		}
		set |= 1 << bit
	}
	return set, true
}

func (r *Row) parseAbilities(s string) bool {
	if s == absent {
		return true
	}
	for i := range len(s) {
		switch s[i] {
		case 'T':
			r.Tools = Yes
		case 't':
			r.Tools = No
		case 'R':
			r.Reasoning = Yes
		case 'r':
			r.Reasoning = No
		case 'S':
			r.StructuredOutput = Yes
		case 's':
			r.StructuredOutput = No
		default:
			return false
		}
	}
	return true
}

func parseCount(s string) (n int64, ok bool) {
	if s == absent {
		return 0, true
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n > 0
}

func (p *parser) parseAliases(row *Row, s string) bool {
	start := len(p.aliases)
	for alias := range strings.SplitSeq(s, " ") {
		if alias == "" {
			return false
		}
		p.aliases = append(p.aliases, alias)
	}
	row.Aliases = slices.Clip(p.aliases[start:])
	return true
}

// inOrder reports whether the row stands behind the last one.
func (p *parser) inOrder(row *Row) bool {
	if len(p.table.Rows) == 0 {
		return true
	}
	last := &p.table.Rows[len(p.table.Rows)-1]
	if last.Provider != row.Provider || last.Model != row.Model {
		return last.Provider != row.Provider || last.Model < row.Model
	}
	return last.From.Before(row.From)
}
