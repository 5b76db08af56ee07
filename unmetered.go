package farebox

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
)

// UnmeteredError says that a request was refused because farebox cannot meter it and [WithRefuseUnmetered] is set. Nothing
// was sent. It matches ErrRefused.
type UnmeteredError struct {
	Method string
	Host   string // with its port, as in the URL
	Route  string // the path, with {id} in place of what looks like an identifier; it has no query
}

// Error names the request and says what can be done.
func (e *UnmeteredError) Error() string {
	return fmt.Sprintf("farebox: %s %s at %s is no request that farebox can meter, and WithRefuseUnmetered is set: "+
		"send it through a client of its own (nothing was sent)", e.Method, e.Route, e.Host)
}

// Is matches ErrRefused.
func (e *UnmeteredError) Is(target error) bool { return target == ErrRefused }

// unmetered notices a request that no wire format knows. Its error refuses the request.
func (m *Meter) unmetered(req *http.Request, ep *endpoint) error {
	host, route := hostOf(req.URL), routeOf(req.URL.Path)
	m.telemetry.passed(req, ep, m.refuseUnmetered)
	if m.refuseUnmetered {
		return &UnmeteredError{Method: req.Method, Host: host, Route: route}
	}
	m.routes.log(m.logger, req, host, route)
	return nil
}

// maxRoutes is how many unmetered routes are told apart. A server that makes up paths must not fill the memory or the log.
const maxRoutes = 256

// unmeteredRoutes are the routes that have been logged. The zero value is ready for use.
type unmeteredRoutes struct {
	mu   sync.Mutex
	seen map[string]struct{}
}

func (r *unmeteredRoutes) log(logger *slog.Logger, req *http.Request, host, route string) {
	key := req.Method + " " + host + route
	r.mu.Lock()
	_, known := r.seen[key]
	full := len(r.seen) >= maxRoutes
	if !known && !full {
		if r.seen == nil {
			r.seen = make(map[string]struct{})
		}
		r.seen[key] = struct{}{}
	}
	last := !known && len(r.seen) == maxRoutes
	r.mu.Unlock()
	if known || full {
		return
	}
	logger.WarnContext(req.Context(), "farebox: unmetered request: outside every budget, without a receipt",
		slog.String("method", req.Method), slog.String("host", host), slog.String("route", route), slog.Bool("last_logged", last))
}

// maxRoute is the longest route that is kept.
const maxRoute = 200

// routeOf is a path with {id} in place of the segments that look like identifiers, which make every path another one, and
// may be nobody's business.
func routeOf(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		name, _, _ := strings.Cut(segment, ":") // what follows is an action
		if isIdentifier(name) {
			segments[i] = "{id}" + segment[len(name):]
		}
	}
	route := strings.Join(segments, "/")
	return route[:min(len(route), maxRoute)]
}

// isIdentifier says whether a segment of a path looks made by a machine: it is long, or has digits and is no version.
func isIdentifier(segment string) bool {
	const longestName = 40
	isVersion := len(segment) <= 8 && strings.HasPrefix(segment, "v")
	return len(segment) > longestName || (!isVersion && strings.ContainsAny(segment, "0123456789"))
}
