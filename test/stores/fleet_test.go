package stores_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/farebox-go/farebox"
	"github.com/redis/go-redis/v9"
)

// TestFleet lets 32 processes spend under one cap of $100, while some of them die and the store is stopped, cut off and
// restarted. Nothing is overspent, calls are refused while the store is away and go on by themselves once it is back, and
// what dead processes had borrowed is little.
func TestFleet(t *testing.T) {
	t.Run("redis", func(t *testing.T) {
		server := startRedis(t)
		setUpRedis(t, server.client, "fleet")
		fleet(t, spender{Kind: "redis", Name: "fleet"}, server.address, server.freeze, server.restart)
	})
	t.Run("postgresql", func(t *testing.T) {
		_, name := setUp(t, "pgx")
		dsn := name(t)
		before, after, _ := strings.Cut(dsn, "@")
		host, rest, _ := strings.Cut(after, "/")
		line := startProxy(t, host)
		// A statement that was cut off must not hold its locks for ever.
		through := before + "@" + line.address + "/" + rest + "&connect_timeout=2"
		fleet(t, spender{Kind: "pgx", Name: through}, "", line.freeze, line.cut)
	})
}

func fleet(t *testing.T, s spender, address string, disturbances ...func()) {
	const processes, deaths = 32, 2
	p := newProvider(t, 400*time.Millisecond)
	s.Provider, s.Cap, s.Timeout = p.URL, farebox.Dollars(100), 3*time.Second
	limit := int64(100_000_000_000)

	s.Workers, s.Calls = 4, 30
	var all []*process
	for range processes {
		all = append(all, start(t, s, address))
	}
	for _, process := range all {
		_ = process.begin.Close()
	}
	time.Sleep(500 * time.Millisecond)
	for _, dying := range all[:deaths] {
		dying.kill()
	}
	for _, disturb := range disturbances {
		disturb()
	}
	for _, process := range all[deaths:] {
		t.Log(strings.TrimSpace(process.wait(t)))
	}
	if billed := p.billed.Load(); billed > limit {
		t.Fatalf("the provider has billed %d of %d", billed, limit)
	}

	// What is left, one process spends: all but what the dead had borrowed, and what is less than a call can cost.
	s.Workers, s.Calls = 8, 400
	last := start(t, s, address)
	_ = last.begin.Close()
	t.Log("the last:", strings.TrimSpace(last.wait(t)))
	t.Setenv("FAREBOX_TEST_ADDRESS", address)
	kept, closeAll, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll()
	counted, billed := used(t, kept, "cap/total/usd/"), p.billed.Load()
	t.Logf("billed %.2f %% of the cap, counted %.2f %%, stranded %.2f %%", percent(billed, limit), percent(counted, limit), percent(counted-billed, limit))
	if billed > limit || counted < billed || counted > limit {
		t.Errorf("the store counts %d, the provider billed %d, the cap is %d", counted, billed, limit)
	}
	if percent(billed, limit) < 97 || percent(counted-billed, limit) > 2 {
		t.Errorf("%.2f %% of the cap could be used, %.2f %% were stranded", percent(billed, limit), percent(counted-billed, limit))
	}
}

func percent(part, whole int64) float64 { return 100 * float64(part) / float64(whole) }

// redisServer is a Redis of the test's own, that keeps what it acknowledges.
type redisServer struct {
	t       *testing.T
	folder  string
	address string
	client  *redis.Client
	cmd     *exec.Cmd
}

func startRedis(t *testing.T) *redisServer {
	t.Helper()
	env(t, "FAREBOX_REDIS_URL", "Redis")
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not there: no Redis to stop and restart")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &redisServer{t: t, folder: t.TempDir(), address: listener.Addr().String()}
	_ = listener.Close()
	s.client = redis.NewClient(&redis.Options{Addr: s.address})
	t.Cleanup(func() { _ = s.client.Close() })
	s.run()
	t.Cleanup(func() { _ = s.cmd.Process.Kill(); _ = s.cmd.Wait() })
	return s
}

func (s *redisServer) run() {
	_, port, _ := net.SplitHostPort(s.address)
	s.cmd = exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "",
		"--appendonly", "yes", "--dir", s.folder, "--logfile", filepath.Join(s.folder, "log"))
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for range 200 {
		if s.client.Ping(ctx).Err() == nil {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	log, _ := os.ReadFile(filepath.Join(s.folder, "log"))
	s.t.Fatalf("redis-server does not answer: %s", log)
}

// freeze stops the server for a second, with everybody connected.
func (s *redisServer) freeze() {
	_ = s.cmd.Process.Signal(syscall.SIGSTOP)
	time.Sleep(time.Second)
	_ = s.cmd.Process.Signal(syscall.SIGCONT)
}

// restart kills the server, and starts it anew with what it had written.
func (s *redisServer) restart() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	time.Sleep(300 * time.Millisecond)
	s.run()
}

// proxy stands between processes and a server, so that the line between them can be cut.
type proxy struct {
	address string
	target  string
	gate    sync.RWMutex // held for writing: nothing passes

	mu    sync.Mutex
	conns []net.Conn
	deaf  bool
}

func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{address: listener.Addr().String(), target: target}
	t.Cleanup(func() { _ = listener.Close(); p.hangUp() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(conn)
		}
	}()
	return p
}

func (p *proxy) serve(near net.Conn) {
	far, err := net.Dial("tcp", p.target)
	p.mu.Lock()
	if err != nil || p.deaf {
		p.mu.Unlock()
		_ = near.Close()
		if far != nil {
			_ = far.Close()
		}
		return
	}
	p.conns = append(p.conns, near, far)
	p.mu.Unlock()
	go p.copy(near, far)
	p.copy(far, near)
}

func (p *proxy) copy(to, from net.Conn) {
	defer func() { _ = to.Close(); _ = from.Close() }()
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		p.gate.RLock()
		_, writeErr := to.Write(buf[:n])
		p.gate.RUnlock()
		if err != nil || writeErr != nil {
			return
		}
	}
}

func (p *proxy) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.conns {
		_ = conn.Close()
	}
	p.conns = nil
}

// freeze lets nothing pass for a second, with everybody connected.
func (p *proxy) freeze() {
	p.gate.Lock()
	time.Sleep(time.Second)
	p.gate.Unlock()
}

// cut ends all connections, and takes no new ones for a while.
func (p *proxy) cut() {
	p.mu.Lock()
	p.deaf = true
	p.mu.Unlock()
	p.hangUp()
	time.Sleep(500 * time.Millisecond)
	p.mu.Lock()
	p.deaf = false
	p.mu.Unlock()
}
