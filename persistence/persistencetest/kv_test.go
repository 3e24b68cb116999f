package persistencetest_test

import (
	"testing"

	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/memory"
	"github.com/weirflow/weir/persistence/persistencetest"
)

func TestOnHeap(t *testing.T) {
	persistencetest.KV(t, func(testing.TB) persistence.Disk { return persistencetest.OnHeap(memory.Backend()) })
}
