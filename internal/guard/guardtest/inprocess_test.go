package guardtest_test

import (
	"testing"

	"github.com/farebox-go/farebox/internal/guard/guardtest"
)

func TestInProcess(t *testing.T) { guardtest.Run(t, guardtest.InProcess) }
