//go:build cgo && !norocksdb && unix

package rocksdb

import (
	"errors"
	"os"

	"github.com/weirflow/weir/persistence"
)

// Statistics has RocksDB count what it does.
func Statistics() Option { return func(s *settings) { s.statistics = true } }

// LockTaken tells what locking a file gives: whether another process has it, or an error.
func LockTaken(f *os.File) (taken bool, err error) {
	err = flock(f)
	return errors.Is(err, errTaken), err
}

// StatisticsOf gives the counters of a KV.
func StatisticsOf(kv persistence.KV) string { return kv.(*db).statistics() }
