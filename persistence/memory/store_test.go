package memory

import (
	"testing"

	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/persistencetest"
)

func TestStore(t *testing.T) {
	persistencetest.Store(t, func(testing.TB) persistence.CheckpointStore { return Store(0) })
}
