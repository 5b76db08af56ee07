package fareboxtest_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails the run if a closed provider leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
