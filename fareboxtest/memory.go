package fareboxtest

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// memoryOrigin stands for a provider that has no socket. The name cannot be resolved, so that a call that is not made
// through Transport fails instead of going somewhere.
const memoryOrigin = "http://provider.invalid"

// Transport reaches the provider in memory, over net.Pipe, whatever host a request names. All calls of it return the same
// transport; it works until Close.
func (p *Provider) Transport() http.RoundTripper { return p.memory }

// HTTPClient is a client over Transport.
func (p *Provider) HTTPClient() *http.Client { return &http.Client{Transport: p.memory} }

// pipeListener hands connections made of net.Pipe to a server.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	close  func()
}

func newPipeListener() *pipeListener {
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	l.close = sync.OnceFunc(func() { close(l.closed) })
	return l
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.close()
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }
