package main

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// The dearest prices that are believed. Beyond them, somebody mistook the unit.
var (
	maxPerMillion = big.NewRat(10_000, 1)
	maxPerUnit    = big.NewRat(10, 1)
)

// validate returns everything that is wrong with the models.
func validate(models []model) error {
	var errs []error
	names := map[string]bool{}
	for _, m := range models {
		if err := m.validate(); err != nil {
			errs = append(errs, fmt.Errorf("%s/%s: %w", m.provider, m.name, err))
		}
		for _, name := range append([]string{m.name}, m.aliases...) {
			if names[m.provider+" "+name] {
				errs = append(errs, fmt.Errorf("%s/%s: the name stands twice", m.provider, name))
			}
			names[m.provider+" "+name] = true
		}
	}
	return errors.Join(errs...)
}

func (m *model) validate() error {
	for _, name := range append([]string{m.provider, m.name}, m.aliases...) {
		if name == "" || name == "-" || strings.ContainsAny(name, " \t\r\n") {
			return fmt.Errorf("%q is no name", name)
		}
	}
	if m.contextTokens < 0 || m.maxOutput < 0 {
		return errors.New("a limit is negative")
	}
	if len(m.prices) == 0 {
		return errors.New("no price")
	}
	for i, p := range m.prices {
		if i > 0 && p.from <= m.prices[i-1].from {
			return fmt.Errorf("two prices from %s", p.from)
		}
		if err := m.validatePrice(p); err != nil {
			return err
		}
	}
	return nil
}

func (m *model) validatePrice(p price) error {
	if m.free || m.variable {
		if len(p.rates) > 0 || len(m.prices) > 1 || m.free == m.variable {
			return errors.New("free or variable, and priced at once")
		}
		return nil
	}
	if !m.other && (p.rates["input"] == "" || !m.embedding && p.rates["output"] == "") {
		return errors.New("no price for input or output")
	}
	if m.embedding && p.rates["output"] != "" {
		return errors.New("an embedding model with an output price")
	}
	all := []rates{p.rates}
	for _, t := range p.tiers {
		all = append(all, t.rates)
	}
	for _, o := range p.overrides {
		if o.multiply == "" || o.rates != nil {
			all = append(all, o.rates)
		}
	}
	for _, r := range all {
		if err := r.validate(); err != nil {
			return err
		}
	}
	return nil
}

func (r rates) validate() error {
	if len(r) == 0 {
		return errors.New("a tier or window without rates")
	}
	for dimension, text := range r {
		if place(dimension) < 0 {
			return fmt.Errorf("%s is no dimension", dimension)
		}
		value, ok := new(big.Rat).SetString(text)
		if !ok || strings.Trim(text, "0123456789.") != "" {
			return fmt.Errorf("%s: %q is no plain decimal", dimension, text)
		}
		limit := maxPerMillion
		if each(dimension) {
			limit = maxPerUnit
		}
		if value.Cmp(limit) > 0 {
			return fmt.Errorf("%s: %s is past %s, the dearest that is believed", dimension, text, limit.RatString())
		}
	}
	return nil
}
