package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farebox-go/farebox/store"
	"github.com/farebox-go/farebox/store/redis"
	"github.com/farebox-go/farebox/store/storetest"
	"github.com/redis/go-redis/v9"
)

var ctx = context.Background()

// server is a client of a real server, and a test's own root of keys on it.
func server(t testing.TB) (*redis.Client, func() string) {
	t.Helper()
	url := os.Getenv("FAREBOX_REDIS_URL")
	if url == "" {
		t.Skip("FAREBOX_REDIS_URL is not set: no Redis to test against")
	}
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	if err := client.Ping(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	return client, rootsOn(t, client)
}

// rootsOn gives roots on a server that are dropped when the test ends.
func rootsOn(t testing.TB, client *redis.Client) func() string {
	prefix := fmt.Sprintf("farebox-test-%d-%d", os.Getpid(), time.Now().UnixNano())
	t.Cleanup(func() {
		keys := client.Scan(ctx, 0, "{"+prefix+"*", 1000).Iterator()
		for keys.Next(ctx) {
			client.Del(ctx, keys.Val())
		}
	})
	var roots atomic.Int64
	return func() string { return fmt.Sprintf("%s-%d", prefix, roots.Add(1)) }
}

// onEach runs a test on Redis and, where it is there, on Valkey.
func onEach(t *testing.T, test func(t *testing.T, client *redis.Client, root func() string)) {
	t.Run("redis", func(t *testing.T) {
		client, root := server(t)
		test(t, client, root)
	})
	const valkey = "valkey-server"
	if _, err := exec.LookPath(valkey); err != nil {
		t.Logf("%s is not there", valkey)
		return
	}
	t.Run("valkey", func(t *testing.T) {
		s := startServer(t, valkey)
		test(t, s.client, rootsOn(t, s.client))
	})
}

func newStore(t testing.TB, client redis.UniversalClient, root string) *redisstore.Store {
	t.Helper()
	s, err := redisstore.New(client, root)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func setUp(t testing.TB, client redis.UniversalClient, root string) *redisstore.Store {
	t.Helper()
	s := newStore(t, client, root)
	if err := s.Setup(ctx); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	onEach(t, func(t *testing.T, client *redis.Client, root func() string) {
		storetest.Run(t, func(t *testing.T) store.Store { return setUp(t, client, root()) })
	})
}

// TestBranch: a root and a leaf under hash tags of their own, as they are in two slots of a cluster or on two servers.
func TestBranch(t *testing.T) {
	client, root := server(t)
	storetest.Run(t, func(t *testing.T) store.Store {
		b, err := store.NewBranch("branch", setUp(t, client, root()), setUp(t, client, root()), nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
}

func TestBadOptions(t *testing.T) {
	if _, err := redisstore.New(nil, ""); err == nil {
		t.Error("no client: taken")
	}
	if _, err := redisstore.New(redis.NewClient(&redis.Options{}), "a{b}"); err == nil {
		t.Error("a root with braces: taken")
	}
}

func ask(limit, granted, need int64) []store.Line {
	return []store.Line{{Account: store.Account{Key: "a"}, Cap: limit, Granted: granted, Need: need}}
}

// TestEmptyServer: a server without any record of the store is not one where nothing was spent.
func TestEmptyServer(t *testing.T) { onEach(t, emptyServer) }

func emptyServer(t *testing.T, client *redis.Client, root func() string) {
	name := root()
	s := newStore(t, client, name)
	var lost *store.LostError
	if _, err := s.Sync(ctx, "one", ask(10, 0, 1)); !errors.As(err, &lost) || !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("before Setup: %v", err)
	}
	if err := s.Setup(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sync(ctx, "one", ask(10, 0, 6)); err != nil {
		t.Fatal(err)
	}
	if err := s.Setup(ctx); err != nil {
		t.Fatal(err)
	}
	if reply, err := s.Sync(ctx, "two", ask(10, 0, 5)); err != nil || reply.Refused != 0 {
		t.Fatalf("a second Setup has reopened the cap: %+v, %v", reply, err)
	}

	// The server restarts without its data.
	keys := client.Keys(ctx, "{"+name+"}*").Val()
	if len(keys) == 0 {
		t.Fatal("the store has no keys")
	}
	client.Del(ctx, keys...)
	if _, err := s.Sync(ctx, "two", ask(10, 0, 5)); !errors.As(err, &lost) {
		t.Fatalf("after everything was lost: %v", err)
	}

	// Recovering, it learns from those who are alive before it grants anything.
	if err := s.Recover(ctx, time.Second); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sync(ctx, "two", ask(10, 0, 5)); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("a grant while it learns: %v", err)
	}
	one := ask(10, 6, 2) // asks for more besides
	if _, err := s.Sync(ctx, "one", one); !errors.As(err, &lost) || !lost.Learning {
		t.Fatalf("a grant while it learns: %v", err)
	}
	if _, err := s.Sync(ctx, "three", nil); err != nil {
		t.Fatalf("a question for the time while it learns: %v", err)
	}
	one[0].Need, one[0].Want = 0, 2
	if reply, err := s.Sync(ctx, "one", one); err != nil || reply.Lines[0].Granted != 6 || reply.Lines[0].Used != 6 {
		t.Fatalf("one says what it was granted: %+v, %v", reply, err)
	}
	time.Sleep(1100 * time.Millisecond)
	if reply, err := s.Sync(ctx, "two", ask(10, 0, 5)); err != nil || reply.Refused != 0 {
		t.Fatalf("what was learned does not count: %+v, %v", reply, err)
	}
	if reply, err := s.Sync(ctx, "two", ask(10, 0, 4)); err != nil || reply.Refused != -1 {
		t.Fatalf("after recovery: %+v, %v", reply, err)
	}
}

// TestLibraryIsLoaded: a server that was restarted has no functions until somebody brings them.
func TestLibraryIsLoaded(t *testing.T) { onEach(t, libraryIsLoaded) }

func libraryIsLoaded(t *testing.T, client *redis.Client, root func() string) {
	s := setUp(t, client, root())
	if err := client.FunctionFlush(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sync(ctx, "one", ask(10, 0, 1)); err != nil {
		t.Error(err)
	}
}

// TestKeysExpire: what belongs to a window goes with it, and what does not stays.
func TestKeysExpire(t *testing.T) { onEach(t, keysExpire) }

func keysExpire(t *testing.T, client *redis.Client, root func() string) {
	name := root()
	s := setUp(t, client, name)
	now := time.Now()
	w := store.Window{Start: now.Add(-time.Hour).UnixNano(), End: now.Add(time.Hour).UnixNano(), View: now.Add(-time.Hour).UnixNano()}
	lines := append(ask(10, 0, 1), store.Line{Account: store.Account{Key: "hourly", Window: w}, Cap: 10, Need: 1})
	if _, err := s.Sync(ctx, "one", lines); err != nil {
		t.Fatal(err)
	}
	if ttl := client.TTL(ctx, "{"+name+"}:account:hourly").Val(); ttl < 7*24*time.Hour || ttl > 8*24*time.Hour {
		t.Errorf("an hour's account lives for another %s", ttl)
	}
	if ttl := client.TTL(ctx, "{"+name+"}:account:a").Val(); ttl > 0 {
		t.Errorf("a total goes after %s", ttl)
	}
}

func TestServerAway(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	defer func() { _ = client.Close() }()
	s := newStore(t, client, "")
	if _, err := s.Sync(ctx, "one", ask(10, 0, 1)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Sync: %v", err)
	}
}

// TestAsTheProtocolDecides: what Redis grants, in plain numbers and in those that are too large for them, is what store.Decide
// does.
func TestAsTheProtocolDecides(t *testing.T) {
	client, root := server(t)
	var now time.Time
	s, reference := setUp(t, client, root()), &store.Memory{Clock: func() time.Time { return now }}
	random := rand.New(rand.NewPCG(1, 2))
	sums := make(map[string]store.Line) // by client and account
	for round := range 3_000 {
		key := fmt.Sprint("account ", random.IntN(40))
		name := fmt.Sprint("client ", random.IntN(4))
		size := int64(1) << (40 + random.IntN(18)) // about which sums are too large is the question
		line, known := sums[name+key]
		if !known {
			line = store.Line{Account: store.Account{Key: key}}
		}
		line.Cap, line.Need, line.Want = 16*size, random.Int64N(size), random.Int64N(2*size)
		line.Over += random.Int64N(2) * random.Int64N(size)
		line.Returned += random.Int64N(line.Granted + line.Over - line.Returned + 1)
		got, err := s.Sync(ctx, name, []store.Line{line})
		if err != nil {
			t.Fatal(err)
		}
		now = got.Now
		want, err := reference.Sync(ctx, name, []store.Line{line})
		if err != nil {
			t.Fatal(err)
		}
		if got.Refused != want.Refused || got.Lines[0] != want.Lines[0] {
			t.Fatalf("round %d, %s, %+v: %+v, want %+v", round, name, line, got, want)
		}
		line.Granted = got.Lines[0].Granted
		sums[name+key] = line
	}
}
