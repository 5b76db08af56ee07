package jsonwalk

import (
	"fmt"
	"strings"
)

// Want is something that a [Scanner] looks for.
type Want struct {
	// Path leads from the top of the document to the value: "usage", "choices[0].finish_reason",
	// "choices[].message.content". [] stands for every element of an array, [0] for the first one.
	Path string
	// Limit is how many bytes of the value are kept; a value that is longer is dropped and said to be. With the zero
	// value nothing is kept: the decoded bytes of the strings at the path are counted instead, all together. The
	// constants below count something else.
	Limit int
}

// Limits of wants that count what is at their path, all together, and keep nothing.
const (
	CountRaw    = -1 // the bytes of the values as they are written
	CountValues = -2 // the values
	SumNumbers  = -3 // whole numbers, added up; those below zero count as none
)

// maxSummand bounds the numbers that are added up, in bytes.
const maxSummand = 32

// Plan is a list of wants made ready for scanning. It does not change and is safe for concurrent use.
type Plan struct {
	wants []Want
	nodes []planNode // nodes[0] is the document's value
}

// planNode is a place in the document that wanted values are at or below.
type planNode struct {
	want    int // which want is for the value here; none: -1
	members []planMember
	first   int // the node of the first element; none: -1
	rest    int // the node of the other elements; none: -1
}

type planMember struct {
	name string
	node int
}

// maxSteps is how many steps a path may have.
const maxSteps = 12

// MustPlan makes a plan. It panics where a path is malformed: paths are part of the program, never input.
func MustPlan(wants ...Want) *Plan {
	p := &Plan{wants: wants, nodes: []planNode{{want: -1, first: -1, rest: -1}}}
	for i, w := range wants {
		steps := strings.Split(strings.ReplaceAll(w.Path, "[", ".["), ".")
		if len(steps) > maxSteps {
			panic(fmt.Sprintf("jsonwalk: path %q is too long", w.Path))
		}
		p.add(0, steps, i)
	}
	return p
}

// add hangs a path below a node. Every element includes the first one, so [] is added to both sides.
func (p *Plan) add(node int, steps []string, want int) {
	if len(steps) == 0 {
		p.nodes[node].want = want
		return
	}
	switch step := steps[0]; step {
	case "[]":
		p.add(p.element(node, false), steps[1:], want)
		p.add(p.element(node, true), steps[1:], want)
	case "[0]":
		p.add(p.element(node, true), steps[1:], want)
	case "":
		panic(fmt.Sprintf("jsonwalk: path %q has an empty step", p.wants[want].Path))
	default:
		p.add(p.member(node, step), steps[1:], want)
	}
}

// element returns the node of an array's first element, or the one of all others; it makes it where there is none.
func (p *Plan) element(node int, first bool) int {
	n := p.nodes[node]
	switch {
	case first && n.first < 0:
		n.first = p.newNode()
	case !first && n.rest < 0:
		n.rest = p.newNode()
	}
	p.nodes[node] = n
	if first {
		return n.first
	}
	return n.rest
}

func (p *Plan) member(node int, name string) int {
	if child := p.find(node, []byte(name)); child >= 0 {
		return child
	}
	made := p.newNode()
	p.nodes[node].members = append(p.nodes[node].members, planMember{name, made})
	return made
}

func (p *Plan) newNode() int {
	p.nodes = append(p.nodes, planNode{want: -1, first: -1, rest: -1})
	return len(p.nodes) - 1
}

// find returns the node of a member, -1 where nothing at or below it is wanted.
func (p *Plan) find(node int, name []byte) int {
	for _, m := range p.nodes[node].members {
		if string(name) == m.name {
			return m.node
		}
	}
	return -1
}
