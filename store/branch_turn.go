package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// This file is about the errors of a branch's two stores, and about their clocks.

// serverError is an error of one of a branch's two stores.
type serverError struct {
	error
	root bool
}

func (e *serverError) Unwrap() error { return e.error }

func atLeaf(err error) error { return atServer(err, false) }
func atRoot(err error) error { return atServer(err, true) }

func atServer(err error, root bool) error {
	if err == nil {
		return nil
	}
	return &serverError{err, root}
}

// mostSkew is how far apart the clocks of root and leaf may be.
const mostSkew = 2 * time.Second

// turn says what follows from an error: to try again, or which one the caller is to see. Around the turn of a window one of
// two clocks turns first. The caller is then sent to the new window, once, and waits until the other clock has turned:
// sent back, it would go to and fro for as long as the clocks differ.
func (b *Branch) turn(ctx context.Context, lines []Line, err error) (again bool, _ error) {
	var from *serverError
	if !errors.As(err, &from) {
		return false, err
	}
	var wrong *WindowError
	if !errors.As(err, &wrong) {
		return false, from.error
	}
	w, found := windowOf(lines, wrong.Key)
	early := w.Start - wrong.Now.UnixNano()
	if !found || early <= 0 {
		return false, wrong
	}
	other := b.root
	if from.root {
		other = b.leaf
	}
	reply, err := other.Sync(ctx, b.name, nil)
	if err != nil || !w.Holds(reply.Now.UnixNano()) {
		if err == nil && reply.Now.After(wrong.Now) {
			wrong = &WindowError{Key: wrong.Key, Now: reply.Now}
		}
		return false, wrong
	}
	if time.Duration(early) > mostSkew {
		return false, fmt.Errorf("store: the clocks of branch %q's root and leaf are %s apart, want at most %s: %w",
			b.name, reply.Now.Sub(wrong.Now).Abs(), mostSkew, ErrUnavailable)
	}
	wait := time.NewTimer(time.Duration(early))
	defer wait.Stop()
	select {
	case <-wait.C:
		return true, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}

func windowOf(lines []Line, key string) (w Window, found bool) {
	for i := range lines {
		if lines[i].Key == key {
			return lines[i].Window, true
		}
	}
	return Window{}, false
}
