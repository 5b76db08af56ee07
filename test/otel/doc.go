// Package otel holds the tests of what farebox's spans and metrics look like to a collector. It is a module of its own,
// so that the OpenTelemetry SDK is no dependency of farebox.
package otel
