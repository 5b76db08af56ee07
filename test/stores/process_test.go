// Package stores_test kills processes, and cuts what they are connected to, while they spend money under caps that a store
// keeps: real processes, real signals, real servers, and a provider that keeps its own account of what it has billed.
package stores_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/store"
	redisstore "github.com/farebox-go/farebox/store/redis"
	sqlstore "github.com/farebox-go/farebox/store/sql"
	"github.com/farebox-go/farebox/test/stores/clock"
	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	openai "github.com/sashabaranov/go-openai"
	_ "modernc.org/sqlite"
)

func TestMain(m *testing.M) {
	if plan := os.Getenv("FAREBOX_TEST_SPENDER"); plan != "" {
		spend(plan)
		return
	}
	os.Exit(m.Run())
}

// spender is what a process is told: where to spend, under what cap, kept where.
type spender struct {
	Provider   string
	Kind, Name string // of the store
	Folder     string // of its own, for what it has in flight; empty: none
	Cap        farebox.Money
	Short      farebox.Money // cap of a window of short; 0: none
	Workers    int
	Calls      int // of each worker; 0: until it is killed or, with a Pause, until the cap is spent
	Timeout    time.Duration
	Pause      time.Duration // between calls, about, until it is told to hurry
	Ahead      time.Duration // of its clock over the machine's
	GivesUp    bool          // on some calls, so that nobody learns what they cost
}

// short is the length of a window that turns every 150 ms: it is counted in sixty parts.
const short = 9 * time.Second

// The model's calls cost $0.001 for each output token, of which an answer has as many as it likes up to its limit.
const (
	model      = "spender"
	tokenNanos = 1_000_000
	mostTokens = 100
)

var ctx = context.Background()

// progress is what a process says of itself, a line at a time.
type progress struct {
	Clock                 time.Time // of the process
	Served, Refused, Away int64
	Failed                int64         // otherwise: at their deadline, mostly
	Late                  time.Duration // the most that a call was refused after its deadline
}

// spend is the life of a process that spends: it makes calls, some of which it gives up on, and says how they went. It
// begins when its input says something, and hurries when its input ends.
func spend(plan string) {
	var s spender
	fail(json.Unmarshal([]byte(plan), &s))
	clock.Skew(s.Ahead)
	kept, _, err := s.keep() // until the process ends
	fail(err)
	client, err := farebox.New(farebox.Compatible("provider", s.Provider, "key"), s.options(kept)...)
	fail(err)
	w := work{spender: s, client: client, hurry: make(chan struct{})}
	w.say()
	_, _ = os.Stdin.Read(make([]byte, 1)) // until the others are ready, too
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		close(w.hurry)
	}()
	go func() {
		for range time.Tick(100 * time.Millisecond) {
			w.say()
		}
	}()
	var all sync.WaitGroup
	for range s.Workers {
		all.Go(w.run)
	}
	all.Wait()
	fail(client.Close(ctx))
	w.say()
}

// work is what the workers of a process share.
type work struct {
	spender
	client *farebox.Client
	hurry  chan struct{}

	mu   sync.Mutex
	done progress
}

func (w *work) run() {
	for n := 0; w.Calls == 0 || n < w.Calls; n++ {
		begun := time.Now()
		err := w.call()
		w.count(err, time.Since(begun)-w.Timeout)
		var refused *farebox.BudgetError
		switch {
		case w.Pause > 0:
			if w.rest() && errors.As(err, &refused) && refused.Budget == "cap" && !errors.Is(err, farebox.ErrStoreUnavailable) {
				return
			}
		case errors.Is(err, farebox.ErrStoreUnavailable):
			time.Sleep(20 * time.Millisecond)
		case errors.Is(err, farebox.ErrBudgetExceeded):
			time.Sleep(5 * time.Millisecond)
		}
	}
}

func (w *work) call() error {
	id := strconv.FormatUint(rand.Uint64(), 36)
	ctx, cancel := context.WithTimeout(farebox.ContextWithTags(ctx, farebox.Tags{"request": id}), w.Timeout)
	defer cancel()
	if w.GivesUp && rand.IntN(20) == 0 {
		time.AfterFunc(time.Duration(rand.IntN(3))*time.Millisecond, cancel)
	}
	_, err := w.client.CreateChatCompletion(ctx, openai.ChatCompletionRequest{
		Model: model, MaxTokens: mostTokens, User: id,
		Messages: []openai.ChatCompletionMessage{{Role: "user", Content: "hello"}},
	})
	return err
}

func (w *work) count(err error, late time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err == nil:
		w.done.Served++
		return
	case errors.Is(err, farebox.ErrStoreUnavailable):
		w.done.Away++
	case errors.Is(err, farebox.ErrBudgetExceeded):
		w.done.Refused++
	default:
		w.done.Failed++
		return
	}
	w.done.Late = max(w.done.Late, late)
}

// rest waits between two calls, a little where it has been told to hurry, which it says.
func (w *work) rest() (hurried bool) {
	select {
	case <-w.hurry:
		time.Sleep(20 * time.Millisecond)
		return true
	case <-time.After(w.Pause/2 + rand.N(w.Pause)):
		return false
	}
}

func (w *work) say() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done.Clock = time.Now()
	fail(json.NewEncoder(os.Stdout).Encode(w.done))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// options are a spender's, whose budgets are kept in a store, or with nil in its folder.
func (s *spender) options(kept store.Store) []farebox.Option {
	options := []farebox.Option{
		farebox.WithRetry(farebox.Retry{MaxAttempts: 1}),
		farebox.WithPrice(model, farebox.Rates{farebox.DimensionInput: {}, farebox.DimensionOutput: farebox.MustRate("0.001")}),
		farebox.WithBudget(farebox.Budget{Name: "cap", Cap: s.Cap}, farebox.Budget{Name: "day", Cap: s.Cap.Mul(2), Window: farebox.Daily}),
	}
	if s.Short != (farebox.Money{}) {
		options = append(options, farebox.WithBudget(farebox.Budget{Name: "short", Cap: s.Short, Window: farebox.Rolling(short)}))
	}
	if kept != nil {
		options = append(options, farebox.WithStore(kept))
	}
	if s.Folder != "" {
		options = append(options, farebox.WithJournal(s.Folder))
	}
	return options
}

// keep opens the store that a spender's Meter is given: none where that opens one in its folder.
func (s *spender) keep() (kept store.Store, closeAll func(), err error) {
	if s.Kind == "journal" {
		return nil, func() {}, nil
	}
	return s.open()
}

// open opens the store of a spender, set up already, and says how to close it and what it was opened over.
func (s *spender) open() (kept store.Store, closeAll func(), err error) {
	var over io.Closer
	if kept, over, err = s.openOver(); err != nil {
		return nil, nil, err
	}
	return kept, func() {
		_ = kept.Close()
		if over != nil {
			_ = over.Close()
		}
	}, nil
}

func (s *spender) openOver() (kept store.Store, over io.Closer, err error) {
	switch s.Kind {
	case "journal":
		kept, err = store.OpenFile(s.Name + "/budgets")
		return kept, nil, err
	case "redis":
		client := redis.NewClient(&redis.Options{Addr: os.Getenv("FAREBOX_TEST_ADDRESS"), ReadTimeout: 500 * time.Millisecond, DialTimeout: 500 * time.Millisecond})
		kept, err = redisstore.New(client, s.Name)
		return kept, client, err
	}
	dialect := map[string]sqlstore.Dialect{"sqlite": sqlstore.SQLite, "pgx": sqlstore.PostgreSQL, "mysql": sqlstore.MySQL}[s.Kind]
	db, err := sql.Open(s.Kind, s.Name)
	if err != nil {
		return nil, nil, err
	}
	db.SetMaxOpenConns(1) // a pool has one message under way
	kept, err = sqlstore.New(db, dialect)
	return kept, db, err
}

// provider answers calls and keeps its own account, in all and of each request by the user that it names.
type provider struct {
	*httptest.Server
	billed, calls atomic.Int64
	bills         sync.Map // user -> nano-dollars
	since         time.Time
}

// newProvider starts a provider whose answers take up to a given time.
func newProvider(t *testing.T, slowest time.Duration) *provider {
	p := &provider{since: time.Now()}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct{ User string }
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			return // the request never came whole
		}
		tokens := 1 + rand.Int64N(mostTokens)
		p.calls.Add(1)
		if _, twice := p.bills.Swap(request.User, tokens*tokenNanos); twice {
			t.Errorf("request %s came twice", request.User)
		}
		p.billed.Add(tokens * tokenNanos) // whatever becomes of the answer
		time.Sleep(rand.N(slowest))
		fmt.Fprintf(w, `{"id":"1","object":"chat.completion","model":%q,"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],`+
			`"usage":{"prompt_tokens":9,"completion_tokens":%d,"total_tokens":%d}}`, model, tokens, 9+tokens)
	}))
	t.Cleanup(p.Close)
	return p
}

// process is a spender at work.
type process struct {
	cmd   *exec.Cmd
	begin io.WriteCloser
	last  atomic.Pointer[progress] // what it said last
	ended chan struct{}
}

// start starts a spender; it is ready to spend when it returns, and does once something is written to begin or that is
// closed.
func start(t *testing.T, s spender, address string) *process {
	t.Helper()
	plan, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "FAREBOX_TEST_SPENDER="+string(plan), "FAREBOX_TEST_ADDRESS="+address)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, begin: in, ended: make(chan struct{})}
	p.last.Store(&progress{})
	ready := make(chan struct{})
	go p.listen(out, ready)
	<-ready
	return p
}

// listen keeps what a process said last, until it ends.
func (p *process) listen(out io.Reader, ready chan<- struct{}) {
	defer close(p.ended)
	lines := bufio.NewScanner(out)
	for first := true; lines.Scan() || first; first = false {
		said := new(progress)
		if json.Unmarshal(lines.Bytes(), said) == nil { // or the process was killed in the middle of a line
			p.last.Store(said)
		}
		if first {
			close(ready)
		}
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.ended
	_ = p.cmd.Wait()
}

// wait lets a process come to its own end.
func (p *process) wait(t *testing.T) progress {
	t.Helper()
	<-p.ended
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("a spender: %v", err)
	}
	return *p.last.Load()
}

func used(t *testing.T, s store.Store, key string) int64 {
	t.Helper()
	balances, err := s.Balances(ctx, []store.Account{{Key: key}})
	if err != nil {
		t.Fatal(err)
	}
	return balances[0].Used
}
