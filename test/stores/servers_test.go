package stores_test

import (
	"bytes"
	"database/sql"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// freeAddress is one that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// eventually waits for something that takes a server a while.
func eventually(t *testing.T, what string, log string, done func() bool) {
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

// redisPrograms are the servers of Redis's protocol that this machine has.
func redisPrograms(t *testing.T) (programs []string) {
	t.Helper()
	for _, program := range []string{"redis-server", "valkey-server"} {
		if _, err := exec.LookPath(program); err == nil {
			programs = append(programs, program)
		}
	}
	if len(programs) == 0 {
		t.Skip("neither redis-server nor valkey-server is there: no Redis to stop and restart")
	}
	return programs
}

// redisServer is a Redis of the test's own, that keeps what it acknowledges.
type redisServer struct {
	t       *testing.T
	program string
	folder  string
	address string
	client  *redis.Client
	cmd     *exec.Cmd
}

func startRedis(t *testing.T, program string) *redisServer {
	t.Helper()
	s := &redisServer{t: t, program: program, folder: t.TempDir(), address: freeAddress(t)}
	s.client = redis.NewClient(&redis.Options{Addr: s.address})
	t.Cleanup(func() { _ = s.client.Close() })
	s.run()
	t.Cleanup(s.kill)
	return s
}

func (s *redisServer) run() {
	s.t.Helper()
	_, port, _ := net.SplitHostPort(s.address)
	log := filepath.Join(s.folder, "log")
	s.cmd = exec.Command(s.program, "--port", port, "--bind", "127.0.0.1", "--save", "",
		"--appendonly", "yes", "--dir", s.folder, "--logfile", log)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, s.program+" answers", log, func() bool { return s.client.Ping(ctx).Err() == nil })
}

func (s *redisServer) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// stopped is an outage in which the server stands still, with everybody connected.
func (s *redisServer) stopped() outage {
	return outage{
		name:  "stopped",
		begin: func() { _ = s.cmd.Process.Signal(syscall.SIGSTOP) },
		end:   func() { _ = s.cmd.Process.Signal(syscall.SIGCONT) },
	}
}

// crashed is an outage that the server comes back from with what it had written.
func (s *redisServer) crashed() outage { return outage{name: "down", begin: s.kill, end: s.run} }

// postgresServer is a PostgreSQL of the test's own, as durable as it comes.
type postgresServer struct {
	t        *testing.T
	programs string
	folder   string
	address  string
	as       *syscall.SysProcAttr
	cmd      *exec.Cmd
}

func startPostgres(t *testing.T) *postgresServer {
	t.Helper()
	s := &postgresServer{t: t, programs: postgresPrograms(t), address: freeAddress(t), as: &syscall.SysProcAttr{Setpgid: true}}
	folder, err := os.MkdirTemp("", "farebox-postgresql-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	s.folder = folder
	if os.Geteuid() == 0 {
		s.becomeAnother()
	}
	initdb := exec.Command(filepath.Join(s.programs, "initdb"), "-D", filepath.Join(folder, "data"),
		"-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = s.as, folder
	if said, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v: %s", err, said)
	}
	s.run()
	t.Cleanup(s.crash)
	return s
}

// postgresPrograms is the folder of PostgreSQL's programs.
func postgresPrograms(t *testing.T) string {
	t.Helper()
	if initdb, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(initdb)
	}
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb"); len(found) > 0 {
		return filepath.Dir(found[len(found)-1])
	}
	t.Skip("initdb is not there: no PostgreSQL to stop and restart")
	return ""
}

// becomeAnother gives the server to a user of its own, since PostgreSQL does not run as root.
func (s *postgresServer) becomeAnother() {
	s.t.Helper()
	other, err := user.Lookup("postgres")
	if err != nil {
		s.t.Skipf("PostgreSQL does not run as root, and there is nobody else to run it as: %v", err)
	}
	uid, _ := strconv.Atoi(other.Uid)
	gid, _ := strconv.Atoi(other.Gid)
	s.as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)} //nolint:gosec // of the machine's own list of users
	if err := os.Chown(s.folder, uid, gid); err != nil {
		s.t.Fatal(err)
	}
}

func (s *postgresServer) dsn(address string) string {
	return "postgres://postgres@" + address + "/postgres?sslmode=disable&connect_timeout=2"
}

func (s *postgresServer) run() {
	s.t.Helper()
	_, port, _ := net.SplitHostPort(s.address)
	log, err := os.OpenFile(filepath.Join(s.folder, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	s.cmd = exec.Command(filepath.Join(s.programs, "postgres"), "-D", filepath.Join(s.folder, "data"), "-p", port,
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=on", "-c", "synchronous_commit=on")
	s.cmd.SysProcAttr, s.cmd.Dir, s.cmd.Stderr = s.as, s.folder, log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	db, err := sql.Open("pgx", s.dsn(s.address))
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	eventually(s.t, "PostgreSQL answers", log.Name(), func() bool { return db.PingContext(ctx) == nil })
}

// crash ends the server and all its processes at once; at its next start it recovers from its log.
func (s *postgresServer) crash() {
	_ = s.cmd.Process.Signal(syscall.SIGQUIT)
	_ = s.cmd.Wait()
}

func (s *postgresServer) crashed() outage { return outage{name: "down", begin: s.crash, end: s.run} }

// stopped is an outage in which all of the server's processes stand still, with everybody connected.
func (s *postgresServer) stopped() outage {
	return outage{name: "stopped", begin: func() { s.signal(syscall.SIGSTOP) }, end: func() { s.signal(syscall.SIGCONT) }}
}

// signal signals the server, which then starts no more processes, and those that it has started: each of them leads a
// group of its own.
func (s *postgresServer) signal(signal syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		s.t.Error(err)
	}
	for _, child := range childrenOf(s.cmd.Process.Pid) {
		_ = syscall.Kill(child, signal)
	}
}

// childrenOf lists the processes that a process has started, where the system shows them as files.
func childrenOf(parent int) (children []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// The name, in parentheses, may hold anything; the state and the parent follow it.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			children = append(children, pid)
		}
	}
	return children
}
