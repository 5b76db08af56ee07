package tokens

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Subject is a library that has been built.
type Subject struct {
	Library
	Program []string // how it is started
}

// Subjects builds all libraries that are to be had on this machine into a folder, and gives why the others are not.
func Subjects(folder string) (subjects []Subject, absent []string, err error) {
	for _, library := range Libraries() {
		program, err := library.Command(folder)
		if errors.Is(err, ErrAbsent) {
			reason, _, _ := strings.Cut(err.Error(), "\n")
			absent = append(absent, reason)
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		subjects = append(subjects, Subject{library, program})
	}
	return subjects, absent, nil
}

// Row is what one library takes, text by text.
type Row struct {
	Library Library
	Figures []Figure
}

// slow is a time after which a text is not counted again.
const slow = time.Second

// Warm measures texts that have been counted before, the libraries in turn for so many rounds, and keeps the quickest of
// each: what else runs on a machine can only make a round slower. A library without the encoding has no row.
func Warm(subjects []Subject, encoding string, texts []Text, rounds int, each time.Duration) (rows []Row, err error) {
	var peers []*Peer
	defer func() {
		for _, peer := range peers {
			err = errors.Join(err, peer.Close())
		}
	}()
	for _, subject := range subjects {
		peer, err := Start(subject.Program)
		if err != nil {
			return nil, err
		}
		peers = append(peers, peer)
		if _, err := peer.Open(encoding); err != nil {
			peers = peers[:len(peers)-1]
			if err := peer.Close(); err != nil {
				return nil, err
			}
			continue
		}
		rows = append(rows, Row{Library: subject.Library})
	}
	for _, text := range texts {
		for i, peer := range peers {
			f, err := peer.Text(text.Text)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", rows[i].Library.Name, text.Name, err)
			}
			rows[i].Figures = append(rows[i].Figures, f)
		}
		if err := quicken(peers, rows, rounds, each); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// quicken measures the text that is set, and keeps each library's quickest figure in its last place.
func quicken(peers []*Peer, rows []Row, rounds int, each time.Duration) error {
	for round := range rounds {
		for i, peer := range peers {
			best := &rows[i].Figures[len(rows[i].Figures)-1]
			if best.Time > slow {
				continue
			}
			f, err := peer.MeasureFor(each)
			if err != nil {
				return err
			}
			if round == 0 || f.Time < best.Time {
				*best = f
			}
		}
	}
	return nil
}

// Cold measures the first count of each text in a program that has done nothing but load the encoding. Of so many
// programs it keeps the median.
func Cold(subjects []Subject, encoding string, texts []Text, programs int) ([]Row, error) {
	var rows []Row
	for _, subject := range subjects {
		row := Row{Library: subject.Library}
		for _, text := range texts {
			var figures []Figure
			for range programs {
				_, f, err := Fresh(subject.Program, encoding, text.Text)
				if err != nil {
					return nil, fmt.Errorf("%s: %s: %w", subject.Name, text.Name, err)
				}
				figures = append(figures, f)
			}
			row.Figures = append(row.Figures, Median(figures, func(f Figure) time.Duration { return f.Time }))
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// Fresh starts a program, loads an encoding, counts a text once, and ends the program.
func Fresh(program []string, encoding, text string) (loaded Loaded, first Figure, err error) {
	peer, err := Start(program)
	if err != nil {
		return loaded, first, err
	}
	defer func() { err = errors.Join(err, peer.Close()) }()
	if loaded, err = peer.Open(encoding); err != nil {
		return loaded, first, err
	}
	first, err = peer.Text(text)
	return loaded, first, err
}

// Median gives the element in the middle by a key. There must be one.
func Median[T any](elements []T, key func(T) time.Duration) T {
	sorted := slices.SortedFunc(slices.Values(elements), func(a, b T) int { return int(key(a) - key(b)) })
	return sorted[len(sorted)/2]
}
