package store_test

import (
	"testing"

	"github.com/farebox-go/farebox/store"
	"github.com/farebox-go/farebox/store/storetest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) store.Store { return new(store.Memory) })
}
