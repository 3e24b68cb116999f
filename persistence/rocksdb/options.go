//go:build cgo && !norocksdb && unix

package rocksdb

// #include <stdlib.h>
// #include "bridge.h"
import "C"

import "unsafe"

// blockCache is the memory that all KVs of a run read through.
type blockCache struct{ cache *C.rocksdb_cache_t }

func newBlockCache(bytes int) *blockCache {
	return &blockCache{C.rocksdb_cache_create_lru(C.size_t(bytes))}
}

func (c *blockCache) destroy() { C.rocksdb_cache_destroy(c.cache) }

// newOptions are those of working state: it is written once more by every
// checkpoint and lost with the process, so it is neither logged nor flushed at
// the end.
func newOptions(s *settings, cache *blockCache) *C.rocksdb_options_t {
	base := C.rocksdb_options_create()
	C.rocksdb_options_set_create_if_missing(base, 1)
	C.rocksdb_options_set_error_if_exists(base, 1)
	C.rocksdb_options_set_write_buffer_size(base, C.size_t(s.writeBuffer))
	C.rocksdb_options_set_level_compaction_dynamic_level_bytes(base, 1)
	C.rocksdb_options_set_compression(base, C.rocksdb_lz4_compression)
	C.rocksdb_options_set_merge_operator(base, C.weir_append_operator())
	setTables(base, cache)
	C.rocksdb_options_set_stats_dump_period_sec(base, 0)
	C.rocksdb_options_set_info_log_level(base, errorsOnly)
	C.rocksdb_options_set_keep_log_file_num(base, 1)
	if s.statistics {
		C.rocksdb_options_enable_statistics(base)
	}
	return withText(base, "avoid_flush_during_shutdown=true")
}

const errorsOnly = 3 // of RocksDB's InfoLogLevel

func setTables(base *C.rocksdb_options_t, cache *blockCache) {
	t := C.rocksdb_block_based_options_create()
	defer C.rocksdb_block_based_options_destroy(t) // it is copied, and holds on to the cache
	C.rocksdb_block_based_options_set_block_cache(t, cache.cache)
	C.rocksdb_block_based_options_set_cache_index_and_filter_blocks(t, 1)
	C.rocksdb_block_based_options_set_filter_policy(t, C.rocksdb_filterpolicy_create_bloom_full(bloomBits))
	C.rocksdb_options_set_block_based_table_factory(base, t)
}

const bloomBits = 10 // a key, for one miss in a hundred to be looked up in vain

// withText sets what the C interface of some versions has no function for.
func withText(base *C.rocksdb_options_t, text string) *C.rocksdb_options_t {
	var failed *C.char
	set := C.CString(text)
	defer C.free(unsafe.Pointer(set))
	all := C.rocksdb_options_create()
	C.rocksdb_get_options_from_string(base, set, all, &failed)
	if failed != nil { // an option that a version no longer knows: what is set by function still holds
		C.rocksdb_free(unsafe.Pointer(failed))
		C.rocksdb_options_destroy(all)
		return base
	}
	C.rocksdb_options_destroy(base)
	return all
}
