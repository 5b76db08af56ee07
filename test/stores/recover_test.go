package stores_test

import (
	"os"
	"testing"
	"time"

	"github.com/farebox-go/farebox"
	redisstore "github.com/farebox-go/farebox/store/redis"
)

// TestRecover lets a Redis come back without anything that it knew while processes spend under a cap that it kept. All of
// them are refused until Recover; then it learns from each what that has spent and holds, also from those that have nothing
// left at hand, so that the cap holds as if nothing had happened.
func TestRecover(t *testing.T) {
	for _, program := range redisPrograms(t) {
		t.Run(program, func(t *testing.T) {
			server := startRedis(t, program)
			setUpRedis(t, server.client, "fleet")
			f := fleet{spender: spender{Kind: "redis", Name: "fleet"}, address: server.address, away: true}
			f.recover(t, server)
		})
	}
}

func (f *fleet) recover(t *testing.T, server *redisServer) {
	const limit = 40_000_000_000
	f.provider = newProvider(t, 100*time.Millisecond)
	f.Provider, f.Cap = f.provider.URL, farebox.Dollars(40)
	f.Workers, f.Timeout, f.Pause = 2, 2*time.Second, 3*time.Second
	f.startAll(t)
	f.addSleepers(t, 12)
	f.await(t, "served from the start", served)
	time.Sleep(6 * time.Second) // by now most sleepers have nothing at hand
	server.kill()
	server.forget()
	server.run()
	f.await(t, "refused by a store that has lost everything", refusedWithoutStore)
	f.await(t, "refused for as long as nobody recovers it", refusedWithoutStore)

	kept, err := redisstore.New(server.client, "fleet")
	if err == nil {
		err = kept.Recover(ctx, 4*time.Second)
	}
	if err != nil {
		t.Fatal(err)
	}
	f.await(t, "served after the recovery", served)
	for _, p := range f.alive {
		_ = p.begin.Close() // hurry
	}
	f.await(t, "at its end", ended)
	for _, p := range f.alive {
		p.wait(t)
	}
	t.Setenv("FAREBOX_TEST_ADDRESS", server.address)
	counted, billed := f.used(t), f.provider.billed.Load()
	t.Logf("the cap is %d, the store counts %d, the provider billed %d", int64(limit), counted, billed)
	if billed > limit || counted < billed {
		t.Errorf("the cap is %d, the store counts %d, the provider billed %d", int64(limit), counted, billed)
	}
}

// addSleepers starts processes that call so rarely that they have given back what they had at hand.
func (f *fleet) addSleepers(t *testing.T, n int) {
	s := f.spender
	s.Workers, s.Pause = 1, 8*time.Second
	for range n {
		p := start(t, s, f.address)
		_, _ = p.begin.Write([]byte{0})
		f.alive = append(f.alive, p)
	}
}

// forget removes what a server that is down had written.
func (s *redisServer) forget() {
	s.t.Helper()
	if err := os.RemoveAll(s.folder + "/appendonlydir"); err != nil {
		s.t.Fatal(err)
	}
}
