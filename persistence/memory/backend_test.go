package memory

import (
	"testing"

	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/dir"
	"github.com/weirflow/weir/persistence/persistencetest"
)

// S106: the backend passes the same suite over either store.
func TestBackend(t *testing.T) {
	backend := func(testing.TB) persistence.Backend { return Backend() }
	t.Run("memory store", func(t *testing.T) {
		persistencetest.Backend(t, backend, func(testing.TB) persistence.CheckpointStore { return Store(0) })
	})
	t.Run("dir store", func(t *testing.T) {
		persistencetest.Backend(t, backend, func(t testing.TB) persistence.CheckpointStore { return dir.Open(t.TempDir()) })
	})
}
