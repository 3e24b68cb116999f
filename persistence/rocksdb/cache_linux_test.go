//go:build cgo && !norocksdb

package rocksdb_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/weirflow/weir/persistence/rocksdb"
)

// The cache of a run goes with it.
func TestCacheIsFreed(t *testing.T) {
	backend := rocksdb.Backend(t.TempDir(), rocksdb.BlockCache(32<<20), rocksdb.WriteBuffer(1<<20))
	rng := rand.NewChaCha8([32]byte{})
	value := make([]byte, 10_000)
	grown := func(runs int) int {
		for range runs {
			kv, err := backend.OpenKV(t.Context(), "cached")
			if err != nil {
				t.Fatal(err)
			}
			for i := range 4000 {
				rng.Read(value)
				if err := kv.Put(fmt.Append(nil, i), value); err != nil {
					t.Fatal(err)
				}
			}
			for i := range 4000 {
				if _, _, err := kv.Get(value[:0], fmt.Append(nil, i)); err != nil {
					t.Fatal(err)
				}
			}
			if err := kv.Close(); err != nil {
				t.Fatal(err)
			}
		}
		return resident(t)
	}
	before := grown(2)
	if after := grown(8); after-before > 120<<20 {
		t.Errorf("from %d to %d MiB in 8 runs with a cache of 32 MiB each", before>>20, after>>20)
	}
}

// resident is the process's memory, in bytes.
func resident(t *testing.T) int {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var size, pages int
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}
