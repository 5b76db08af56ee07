package redisstore_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// programs are the servers of Redis's protocol that this machine has.
func programs(t *testing.T) (found []string) {
	t.Helper()
	for _, program := range []string{"redis-server", "valkey-server"} {
		if _, err := exec.LookPath(program); err == nil {
			found = append(found, program)
		}
	}
	if len(found) == 0 {
		t.Skip("neither redis-server nor valkey-server is there: no servers of the test's own")
	}
	return found
}

// process is a server of the test's own.
type process struct {
	t       *testing.T
	folder  string
	address string
	client  *redis.Client
	cmd     *exec.Cmd
}

// startServer starts a server with settings beside the usual ones; the port that a node of a cluster hears others on is free,
// too.
func startServer(t *testing.T, program string, settings ...string) *process {
	t.Helper()
	s := &process{t: t, folder: t.TempDir(), address: freeAddress(t)}
	s.client = redis.NewClient(&redis.Options{Addr: s.address, MaxRetries: -1})
	t.Cleanup(func() { _ = s.client.Close() })
	_, port, _ := net.SplitHostPort(s.address)
	log := filepath.Join(s.folder, "log")
	s.cmd = exec.Command(program, append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", s.folder, "--logfile", log}, settings...)...)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	eventually(t, program+" answers", log, func() bool { return s.client.Ping(ctx).Err() == nil })
	return s
}

func (s *process) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// freeAddress is one on whose port, and on the one 10,000 above it, nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 1000 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := listener.Addr().(*net.TCPAddr)
		bus, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(address.Port+10_000)))
		_ = listener.Close()
		if err == nil {
			_ = bus.Close()
			return address.String()
		}
	}
	t.Fatal("no port is free")
	return ""
}

// eventually waits for something that takes servers a while.
func eventually(t *testing.T, what, log string, done func() bool) {
	t.Helper()
	for range 1200 {
		if done() {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	said, _ := os.ReadFile(log)
	t.Fatalf("%s: not within 30 s: %s", what, said)
}
