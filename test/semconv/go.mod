module github.com/farebox-go/farebox/test/semconv

go 1.25.0

require go.opentelemetry.io/otel v1.44.0

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	go.opentelemetry.io/otel/metric v1.44.0 // indirect
)
