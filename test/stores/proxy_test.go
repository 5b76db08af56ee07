package stores_test

import (
	"net"
	"sync"
	"testing"
)

// proxy stands between processes and a server, so that the line between them can be cut.
type proxy struct {
	address string
	target  string

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
	go forward(near, far)
	forward(far, near)
}

func forward(to, from net.Conn) {
	defer func() { _ = to.Close(); _ = from.Close() }()
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		_, writeErr := to.Write(buf[:n])
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

func (p *proxy) setDeaf(deaf bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf = deaf
}

// cut ends all connections, and takes no new ones.
func (p *proxy) cut() outage {
	return outage{
		name:  "cut off",
		begin: func() { p.setDeaf(true); p.hangUp() },
		end:   func() { p.setDeaf(false) },
	}
}
