// Package redisstore keeps spending caps that a fleet of processes shares in Redis 7 or later, or Valkey.
//
// It is a grantor of allowances (see [store.Store]), all of it in one library of Redis functions: every decision is one
// atomic step on the server, by the server's clock. All keys of a Store share one hash tag, so that a cluster keeps them on
// one node; give several fleets, or several independent caps, a root of their own each.
//
// Redis must keep what it acknowledges: use appendonly yes. What is lost in a failover is at most what was granted within
// the replication lag. A server that comes back empty is noticed, and refuses everything until [Store.Recover].
package redisstore

import (
	"context"
	"crypto/sha256"
	_ "embed" // the library
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/farebox-go/farebox/store"
	"github.com/redis/go-redis/v9"
)

//go:embed library.lua
var source string

// library is the source under a name of its own for every version of it, so that programs of several versions can use one
// server at a time.
var (
	sum     = sha256.Sum256([]byte(source))
	name    = "farebox_" + hex.EncodeToString(sum[:6])
	library = strings.ReplaceAll(source, "farebox_library", name)
)

// Store is a [store.Store] in Redis. Make one with [New]. Safe for concurrent use.
type Store struct {
	client redis.UniversalClient
	root   string
	closed atomic.Bool
}

// DefaultRoot is the root of keys unless another is given.
const DefaultRoot = "farebox"

// New makes a Store over a client that the caller has, and keeps and closes: a single server's, a sentinel's or a cluster's.
// root begins the names of all its keys, within their hash tag; empty is [DefaultRoot]. Nothing is sent.
//
// A fleet's store has to be set up once, with [Store.Setup]: so that a server which has lost everything is not taken for
// one where nothing was spent.
func New(client redis.UniversalClient, root string) (*Store, error) {
	if client == nil {
		return nil, errors.New("redis: the client is nil")
	}
	if strings.ContainsAny(root, "{}") {
		return nil, fmt.Errorf("redis: root %q: want a name without braces, which mark the hash tag", root)
	}
	if root == "" {
		root = DefaultRoot
	}
	return &Store{client: client, root: "{" + root + "}"}, nil
}

// Setup makes the store ready for use where it never was. It may be called by every process of a fleet, but then by hand or
// by a deployment, not at every start: see [New]. It loads the library of functions where the server has none.
func (s *Store) Setup(ctx context.Context) error {
	return s.begin(ctx, "setup", 0)
}

// Recover makes the store usable again after it has lost what it knew. For the time given it grants nothing, while
// processes that are alive tell it what they were granted; take as long as the longest call may last, and at least a few
// seconds. Those that find out later than that, since they made no call until then, are refused with a [store.LostError]:
// recover once more. What was spent by processes that are gone, and granted within what was lost, stays unknown: lower the
// cap by it, or add it with Correct.
func (s *Store) Recover(ctx context.Context, learning time.Duration) error {
	if learning < time.Second {
		return fmt.Errorf("redis: learning for %s: want a second at least", learning)
	}
	return s.begin(ctx, "recover", learning)
}

func (s *Store) begin(ctx context.Context, how string, learning time.Duration) error {
	epoch := strconv.FormatInt(time.Now().UnixNano(), 36)
	_, err := s.call(ctx, "begin", []string{s.root}, how, epoch, strconv.FormatInt(int64(learning/time.Second), 10))
	return err
}

func (s *Store) accountKey(a *store.Account) string { return s.root + ":account:" + a.Key }

func (s *Store) holdersKey(a *store.Account) string {
	return s.root + ":holders:" + decimal(a.Window.Start) + ":" + a.Key
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// Sync implements [store.Store].
func (s *Store) Sync(ctx context.Context, client string, lines []store.Line) (store.Reply, error) {
	if err := store.Validate(client, lines); err != nil {
		return store.Reply{}, err
	}
	keys := make([]string, 1, 1+2*len(lines))
	args := make([]any, 1, 1+10*len(lines))
	keys[0], args[0] = s.root, client
	for i := range lines {
		l := &lines[i]
		keys = append(keys, s.accountKey(&l.Account), s.holdersKey(&l.Account))
		args = append(args, l.Key, decimal(l.Window.Start), decimal(l.Window.End), decimal(l.Window.View), decimal(l.Cap),
			decimal(l.Granted), decimal(l.Returned), decimal(l.Over), decimal(l.Need), decimal(max(0, l.Want)))
	}
	values, err := s.call(ctx, "sync", keys, args...)
	if err != nil {
		return store.Reply{}, err
	}
	return readReply(values, len(lines))
}

func readReply(values reader, lines int) (store.Reply, error) {
	reply := store.Reply{Now: time.UnixMicro(values.next()), Refused: int(values.next()) - 1, Lines: make([]store.Granted, lines)}
	for i := range reply.Lines {
		reply.Lines[i].Granted = values.next()
		reply.Lines[i].Balance = values.balance()
	}
	return reply, values.err()
}

// Correct implements [store.Store]. A correction's id is remembered for 90 days.
func (s *Store) Correct(ctx context.Context, id string, corrections []store.Correction) error {
	if id == "" {
		return errors.New("redis: a correction without an id")
	}
	keys := []string{s.root, s.root + ":correction:" + id}
	args := []any{int64(90 * 24 * 60 * 60)}
	for i := range corrections {
		c := &corrections[i]
		sign, amount := "+", decimal(c.Amount)
		if c.Amount < 0 {
			sign, amount = "-", strings.TrimPrefix(amount, "-")
		}
		keys = append(keys, s.accountKey(&c.Account))
		args = append(args, decimal(c.Window.Start), amount, sign)
	}
	_, err := s.call(ctx, "correct", keys, args...)
	return err
}

// Balances implements [store.Store].
func (s *Store) Balances(ctx context.Context, accounts []store.Account) ([]store.Balance, error) {
	keys, args := []string{s.root}, make([]any, 0, 2*len(accounts))
	for i := range accounts {
		a := &accounts[i]
		keys = append(keys, s.accountKey(a))
		args = append(args, decimal(a.Window.Start), decimal(a.Window.View))
	}
	values, err := s.call(ctx, "balances", keys, args...)
	if err != nil {
		return nil, err
	}
	balances := make([]store.Balance, len(accounts))
	for i := range balances {
		balances[i] = values.balance()
	}
	return balances, values.err()
}

// Close ends the use of the Store. The client stays the caller's.
func (s *Store) Close() error {
	s.closed.Store(true)
	return nil
}

var errClosed = fmt.Errorf("redis: the store is closed: %w", store.ErrUnavailable)

// call calls a function of the library, loading it first where the server does not have it.
func (s *Store) call(ctx context.Context, function string, keys []string, args ...any) (reader, error) {
	if s.closed.Load() {
		return reader{}, errClosed
	}
	function = name + "_" + function
	result, err := s.client.FCall(ctx, function, keys, args...).Result()
	if err != nil && strings.Contains(err.Error(), "Function not found") {
		if err = s.load(ctx); err == nil {
			result, err = s.client.FCall(ctx, function, keys, args...).Result()
		}
	}
	if err != nil {
		return reader{}, readError(err)
	}
	values, _ := result.([]any)
	return reader{values: values}, nil
}

// load puts the library on the server that has the store's keys. In a cluster that is one of the masters: the others may be
// down, and are brought it when a root of theirs needs it, as is one that takes over keys or comes back without it.
func (s *Store) load(ctx context.Context) error {
	if cluster, ok := s.client.(*redis.ClusterClient); ok {
		master, err := cluster.MasterForKey(ctx, s.root)
		if err != nil {
			return err
		}
		return master.FunctionLoadReplace(ctx, library).Err()
	}
	return s.client.FunctionLoadReplace(ctx, library).Err()
}

// readError gives an error of the library its type, and marks every other as one by which the store cannot answer.
func readError(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("redis: %w", err)
	}
	kind, rest, _ := strings.Cut(err.Error(), " ")
	switch kind {
	case "FAREBOX_UNSET":
		return &store.LostError{}
	case "FAREBOX_LEARNING":
		return &store.LostError{Learning: true}
	case "FAREBOX_WINDOW":
		now, key, _ := strings.Cut(rest, " ")
		at, _ := strconv.ParseInt(now, 10, 64)
		return &store.WindowError{Key: key, Now: time.UnixMicro(at)}
	case "FAREBOX_LOST":
		granted, rest, _ := strings.Cut(rest, " ")
		stored, key, _ := strings.Cut(rest, " ")
		lost := &store.LostError{Key: key}
		lost.Granted, _ = strconv.ParseInt(granted, 10, 64)
		lost.Stored, _ = strconv.ParseInt(stored, 10, 64)
		return lost
	}
	return fmt.Errorf("redis: %w: %w", err, store.ErrUnavailable)
}

// reader takes an answer apart.
type reader struct {
	values []any
	bad    error
}

func (r *reader) next() int64 {
	if len(r.values) == 0 {
		r.bad = errors.New("it is too short")
		return 0
	}
	value := r.values[0]
	r.values = r.values[1:]
	if n, ok := value.(int64); ok {
		return n
	}
	digits, _ := value.(string)
	n, err := strconv.ParseInt(digits, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return n // a sum of what several clients overspent; it stays at the largest figure
	}
	if err != nil {
		r.bad = err
	}
	return n
}

func (r *reader) balance() store.Balance {
	return store.Balance{Used: r.next(), Clients: int(r.next()), Recall: r.next() == 1}
}

func (r *reader) err() error {
	if r.bad != nil {
		return fmt.Errorf("redis: an answer that makes no sense: %w: %w", r.bad, store.ErrUnavailable)
	}
	return nil
}
