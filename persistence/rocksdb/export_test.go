//go:build cgo && !norocksdb && unix

package rocksdb

import "github.com/weirflow/weir/persistence"

// Statistics has RocksDB count what it does.
func Statistics() Option { return func(s *settings) { s.statistics = true } }

// StatisticsOf gives the counters of a KV.
func StatisticsOf(kv persistence.KV) string { return kv.(*db).statistics() }
