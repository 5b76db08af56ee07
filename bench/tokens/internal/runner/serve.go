package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"
)

// Count counts the tokens of a text.
type Count func(text string) int

// OpenFunc gives the counter for an encoding, such as "o200k_base", loaded and ready.
type OpenFunc func(encoding string) (Count, error)

// Main serves standard input and output until the input ends, and ends the program.
func Main(open OpenFunc) {
	if err := Serve(os.Stdin, os.Stdout, open); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Serve answers the requests on r until it ends. The error is for a request or a reply that is cut off; what is wrong
// with a request is in its reply.
func Serve(r io.Reader, w io.Writer, open OpenFunc) error {
	s := session{open: open}
	requests, replies := json.NewDecoder(r), json.NewEncoder(w)
	for {
		var request Request
		if err := requests.Decode(&request); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("runner: request: %w", err)
		}
		reply, err := s.answer(request)
		if err != nil {
			reply = Reply{Error: err.Error()}
		}
		if err := replies.Encode(reply); err != nil {
			return fmt.Errorf("runner: reply: %w", err)
		}
	}
}

type session struct {
	open  OpenFunc
	count Count
	text  string
}

func (s *session) answer(request Request) (Reply, error) {
	if request.Op != Open && s.count == nil {
		return Reply{}, errors.New("no encoding is open")
	}
	switch request.Op {
	case Open:
		return s.load(request.Encoding)
	case Text:
		s.text = request.Text
		return s.measure(1), nil
	case Measure:
		if request.Times < 1 {
			return Reply{}, fmt.Errorf("cannot measure %d times", request.Times)
		}
		return s.measure(request.Times), nil
	}
	return Reply{}, fmt.Errorf("unknown request %q", request.Op)
}

// load opens an encoding and counts a letter, since a library may leave its work until then.
func (s *session) load(encoding string) (Reply, error) {
	before := settledHeap()
	start := time.Now()
	count, err := s.open(encoding)
	if err != nil {
		return Reply{}, err
	}
	tokens := count("a")
	took := time.Since(start)
	after := settledHeap()
	s.count = count
	kept := after.HeapAlloc - min(before.HeapAlloc, after.HeapAlloc)
	return Reply{Tokens: tokens, NS: took.Nanoseconds(), Allocs: after.Mallocs - before.Mallocs, Bytes: kept}, nil
}

func (s *session) measure(times int) Reply {
	var before, after runtime.MemStats
	var tokens int
	runtime.ReadMemStats(&before)
	start := time.Now()
	for range times {
		tokens = s.count(s.text)
	}
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	return Reply{
		Tokens: tokens,
		NS:     took.Nanoseconds(),
		Allocs: after.Mallocs - before.Mallocs,
		Bytes:  after.TotalAlloc - before.TotalAlloc,
	}
}

// settledHeap gives the heap after a collection.
func settledHeap() runtime.MemStats {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m
}
