package tokens

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/farebox-go/farebox/bench/tokens/internal/runner"
)

// Peer is a running program with one library. It belongs to one goroutine.
type Peer struct {
	process  *exec.Cmd
	stdin    io.Closer
	requests *json.Encoder
	replies  *json.Decoder
}

// Figure is what counting a text once takes.
type Figure struct {
	Tokens int
	Time   time.Duration
	Allocs float64
	Bytes  float64 // allocated
}

// Loaded is what loading an encoding took, and the heap that it keeps in bytes.
type Loaded struct {
	Time time.Duration
	Kept uint64
}

// Start starts a program.
func Start(command []string) (*Peer, error) {
	process := exec.Command(command[0], command[1:]...)
	process.Stderr = os.Stderr
	stdin, err := process.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, err
	}
	return &Peer{process, stdin, json.NewEncoder(stdin), json.NewDecoder(stdout)}, nil
}

// Close ends the program.
func (p *Peer) Close() error {
	return errors.Join(p.stdin.Close(), p.process.Wait())
}

// Open loads an encoding. Not every library has every encoding.
func (p *Peer) Open(encoding string) (Loaded, error) {
	reply, err := p.ask(runner.Request{Op: runner.Open, Encoding: encoding})
	return Loaded{time.Duration(reply.NS), reply.Bytes}, err
}

// Text sets the text to count, and gives what it took to count it for the first time.
func (p *Peer) Text(text string) (Figure, error) {
	reply, err := p.ask(runner.Request{Op: runner.Text, Text: text})
	return figure(reply, 1), err
}

// Measure counts the text so many times.
func (p *Peer) Measure(times int) (Figure, error) {
	reply, err := p.ask(runner.Request{Op: runner.Measure, Times: times})
	return figure(reply, times), err
}

// MeasureFor counts the text until that has taken about as long as wanted, but not a second time if once takes longer.
func (p *Peer) MeasureFor(wanted time.Duration) (Figure, error) {
	f, err := p.Measure(1)
	if err != nil || f.Time >= wanted {
		return f, err
	}
	return p.Measure(int(wanted/max(f.Time, time.Nanosecond)) + 1)
}

func figure(reply runner.Reply, times int) Figure {
	n := float64(times)
	return Figure{
		Tokens: reply.Tokens,
		Time:   time.Duration(float64(reply.NS) / n),
		Allocs: float64(reply.Allocs) / n,
		Bytes:  float64(reply.Bytes) / n,
	}
}

func (p *Peer) ask(request runner.Request) (runner.Reply, error) {
	var reply runner.Reply
	if err := p.requests.Encode(request); err != nil {
		return reply, err
	}
	if err := p.replies.Decode(&reply); err != nil {
		return reply, err
	}
	if reply.Error != "" {
		return reply, fmt.Errorf("%s: %s", request.Op, reply.Error)
	}
	return reply, nil
}

// Rate gives bytes of text per time in MB/s.
func Rate(text string, took time.Duration) float64 {
	return float64(len(text)) / 1e6 / took.Seconds()
}
