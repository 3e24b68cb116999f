//go:build cgo && !norocksdb && unix

package rocksdb

// #cgo LDFLAGS: -lrocksdb
// #include <stdlib.h>
// #include "bridge.h"
import "C"

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"unsafe"

	"github.com/weirflow/weir/persistence"
)

// db is a persistence.KV. RocksDB ends the process when it is used after it was
// closed, or closed before what reads it: so it closes when its owner did and
// the last frozen view is released.
type db struct {
	name   string
	folder string
	db     *C.rocksdb_t
	opts   *C.rocksdb_options_t
	wo     *C.rocksdb_writeoptions_t
	ro     *C.rocksdb_readoptions_t
	out    *C.weir_result // of calls on the owner's goroutine
	closed bool           // by the owner, who alone asks
	gone   func()         // called when everything is given back

	mu    sync.Mutex
	users int // the owner and the frozen views
}

// openDB makes a RocksDB in a folder that does not exist.
func openDB(name, folder string, s *settings, cache *blockCache, gone func()) (*db, error) {
	d := &db{name: name, folder: folder, gone: gone, users: 1, opts: newOptions(s, cache), out: newResult()}
	path := C.CString(folder)
	defer C.free(unsafe.Pointer(path))
	d.db = C.rocksdb_open(d.opts, path, &d.out.err)
	if err := d.failed("open "+folder, d.out); err != nil {
		C.rocksdb_options_destroy(d.opts)
		freeResult(d.out)
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	d.wo = C.rocksdb_writeoptions_create()
	C.rocksdb_writeoptions_disable_WAL(d.wo, 1) // nothing is read after a crash
	d.ro = C.rocksdb_readoptions_create()
	return d, nil
}

func newResult() *C.weir_result {
	return (*C.weir_result)(C.calloc(1, C.sizeof_weir_result))
}

func freeResult(r *C.weir_result) { C.free(unsafe.Pointer(r)) }

// failed takes the error of a call, if there is one.
func (d *db) failed(doing string, out *C.weir_result) error {
	if out.err == nil {
		return nil
	}
	err := fmt.Errorf("rocksdb of %s: %s: %s", d.name, doing, C.GoString(out.err))
	C.rocksdb_free(unsafe.Pointer(out.err))
	out.err = nil
	return err
}

func (d *db) errClosed() error { return fmt.Errorf("rocksdb of %s: used after Close", d.name) }

// chars gives the bytes of b to C, for the time of a call.
func chars(b []byte) (*C.char, C.size_t) {
	return (*C.char)(unsafe.Pointer(unsafe.SliceData(b))), C.size_t(len(b))
}

func (d *db) Get(buf, key []byte) ([]byte, bool, error) {
	if d.closed {
		return buf, false, d.errClosed()
	}
	k, n := chars(key)
	if C.weir_get(d.db, d.ro, k, n, d.out) != 1 {
		return buf, false, d.failed("get", d.out)
	}
	buf = append(buf, view(d.out.value, d.out.value_len)...)
	C.weir_got(d.out)
	return buf, true, nil
}

// view is C's memory as a slice.
func view(p *C.char, n C.size_t) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(p)), n) }

func (d *db) Put(key, value []byte) error {
	if d.closed {
		return d.errClosed()
	}
	k, n := chars(key)
	v, m := chars(value)
	C.rocksdb_put(d.db, d.wo, k, n, v, m, &d.out.err)
	return d.failed("put", d.out)
}

func (d *db) Append(key, tail []byte) error {
	if d.closed {
		return d.errClosed()
	}
	k, n := chars(key)
	v, m := chars(tail)
	C.rocksdb_merge(d.db, d.wo, k, n, v, m, &d.out.err)
	return d.failed("merge", d.out)
}

func (d *db) Delete(key []byte) error {
	if d.closed {
		return d.errClosed()
	}
	k, n := chars(key)
	C.rocksdb_delete(d.db, d.wo, k, n, &d.out.err)
	return d.failed("delete", d.out)
}

// fewKeys is up to how many keys a prefix is deleted key by key: RocksDB looks
// at every deleted range at every read until a compaction takes it away.
const fewKeys = 256

func (d *db) DeletePrefix(prefix []byte) error {
	if d.closed {
		return d.errClosed()
	}
	end, bounded := successor(prefix)
	if !bounded { // nothing sorts behind it: there is no range to give
		_, err := d.deleteUpTo(math.MaxInt, prefix)
		return err
	}
	if all, err := d.deleteUpTo(fewKeys, prefix); all || err != nil {
		return err
	}
	from, n := chars(prefix)
	to, m := chars(end)
	C.weir_delete_range(d.db, d.wo, from, n, to, m, d.out)
	return d.failed("delete a range", d.out)
}

// deleteUpTo deletes keys one by one, and tells whether those were all.
func (d *db) deleteUpTo(limit int, prefix []byte) (all bool, err error) {
	deleted := 0
	scanned := d.Scan(prefix, func(key, _ []byte) bool {
		if deleted == limit {
			return false
		}
		err = d.Delete(key)
		deleted++
		return err == nil
	})
	return deleted < limit, errors.Join(scanned, err)
}

// successor gives the first key behind all that begin with prefix, if there is one.
func successor(prefix []byte) ([]byte, bool) {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] < 0xff {
			end := append([]byte(nil), prefix[:i+1]...)
			end[i]++
			return end, true
		}
	}
	return nil, false
}

func (d *db) Scan(prefix []byte, yield func(key, value []byte) bool) error {
	if d.closed {
		return d.errClosed()
	}
	return d.scan(nil, prefix, yield)
}

const scanAhead = 2 << 20 // bytes that a snapshot is read ahead, for it is read to its end

// scan reads what there is now, or what there was at a snapshot.
func (d *db) scan(at *C.rocksdb_snapshot_t, prefix []byte, yield func(key, value []byte) bool) error {
	out := newResult() // its own: yield may scan
	defer freeResult(out)
	ro := C.rocksdb_readoptions_create()
	defer C.rocksdb_readoptions_destroy(ro)
	if at != nil {
		C.rocksdb_readoptions_set_snapshot(ro, at)
		C.rocksdb_readoptions_set_fill_cache(ro, 0) // what the subtask works with stays
		C.rocksdb_readoptions_set_readahead_size(ro, scanAhead)
	}
	if end, ok := successor(prefix); ok {
		bound := C.CBytes(end) // without it, a seek looks for a live key beyond all that was deleted
		defer C.free(bound)
		C.rocksdb_readoptions_set_iterate_upper_bound(ro, (*C.char)(bound), C.size_t(len(end)))
	}
	it := C.rocksdb_create_iterator(d.db, ro)
	defer C.rocksdb_iter_destroy(it)
	p, n := chars(prefix)
	for found := C.weir_scan(it, 0, p, n, out); found == 1; found = C.weir_scan(it, 1, p, n, out) {
		if !yield(view(out.key, out.key_len), view(out.value, out.value_len)) {
			return nil
		}
	}
	return d.failed("scan", out)
}

// Freeze takes a snapshot, which is a number and a place in a list.
func (d *db) Freeze() (persistence.FrozenKV, error) {
	if d.closed {
		return nil, d.errClosed()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.users++
	return &frozen{db: d, at: C.rocksdb_create_snapshot(d.db)}, nil
}

func (d *db) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	return d.leave()
}

// leave ends one user's use, and the last one's everything.
func (d *db) leave() error {
	d.mu.Lock()
	d.users--
	last := d.users == 0
	d.mu.Unlock()
	if !last {
		return nil
	}
	C.rocksdb_readoptions_destroy(d.ro)
	C.rocksdb_writeoptions_destroy(d.wo)
	C.rocksdb_close(d.db)
	C.rocksdb_options_destroy(d.opts)
	freeResult(d.out)
	err := os.RemoveAll(d.folder)
	d.gone()
	return err
}

// statistics gives RocksDB's counters as text; empty unless they were asked for.
func (d *db) statistics() string {
	text := C.rocksdb_options_statistics_get_string(d.opts)
	if text == nil {
		return ""
	}
	defer C.rocksdb_free(unsafe.Pointer(text))
	return C.GoString(text)
}

// frozen is a persistence.FrozenKV: a snapshot of a db, which stays open for it.
type frozen struct {
	db *db
	at *C.rocksdb_snapshot_t // nil once released
}

func (f *frozen) Scan(prefix []byte, yield func(key, value []byte) bool) error {
	if f.at == nil {
		return fmt.Errorf("rocksdb of %s: what was frozen is used after Release", f.db.name)
	}
	return f.db.scan(f.at, prefix, yield)
}

func (f *frozen) Release() {
	if f.at == nil {
		return
	}
	C.rocksdb_release_snapshot(f.db.db, f.at)
	f.at = nil
	_ = f.db.leave() // a folder that stays is removed with its run
}
