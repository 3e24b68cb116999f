package dir

import (
	"testing"

	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/persistencetest"
)

func TestStore(t *testing.T) {
	persistencetest.Store(t, func(t testing.TB) persistence.CheckpointStore { return Open(t.TempDir()) })
}
