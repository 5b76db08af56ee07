// Package pricediff asks two other libraries what thousands of calls cost, and explains every answer that differs from
// farebox's: because their price list says something else, or because they compute something else. docs/price-differences.md
// is what came of it; a difference that nothing explains fails the test.
//
//	go test ./test/pricediff            # needs node and npm; skips without
//	go test ./test/pricediff -update    # writes docs/price-differences.md anew
package pricediff
