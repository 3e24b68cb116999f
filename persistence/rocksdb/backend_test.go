//go:build cgo && !norocksdb && unix

package rocksdb_test

import (
	"testing"

	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/memory"
	"github.com/weirflow/weir/persistence/persistencetest"
	"github.com/weirflow/weir/persistence/rocksdb"
)

func TestKV(t *testing.T) {
	persistencetest.KV(t, func(t testing.TB) persistence.Disk { return rocksdb.Backend(t.TempDir()) })
}

func TestBackend(t *testing.T) {
	persistencetest.Backend(t,
		func(t testing.TB) persistence.Backend { return rocksdb.Backend(t.TempDir()) },
		func(testing.TB) persistence.CheckpointStore { return memory.Store(0) })
}
