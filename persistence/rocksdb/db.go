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
	"slices"
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
	scans  []*scan        // of the owner, going on
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

// fewKeys is up to how many keys a prefix is deleted key by key: until a flush,
// RocksDB looks at all deleted ranges at every read.
const fewKeys = 10_000

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
	s := d.newScan(nil, prefix)
	d.scans = append(d.scans, s)
	defer func() {
		d.scans = slices.DeleteFunc(d.scans, func(o *scan) bool { return o == s })
		s.end()
	}()
	return s.run(prefix, yield, d.errClosed)
}

// scan is one that is going on.
type scan struct {
	d     *db
	it    *C.rocksdb_iterator_t // nil: it has ended, or was ended
	ro    *C.rocksdb_readoptions_t
	bound unsafe.Pointer
	out   *C.weir_result // its own: who is called may scan
}

const scanAhead = 2 << 20 // bytes that a snapshot is read ahead, for it is read to its end

// newScan begins to read what there is now, or what there was at a snapshot.
func (d *db) newScan(at *C.rocksdb_snapshot_t, prefix []byte) *scan {
	s := &scan{d: d, ro: C.rocksdb_readoptions_create(), out: newResult()}
	if at != nil {
		C.rocksdb_readoptions_set_snapshot(s.ro, at)
		C.rocksdb_readoptions_set_fill_cache(s.ro, 0) // what the subtask works with stays
		C.rocksdb_readoptions_set_readahead_size(s.ro, scanAhead)
	}
	if end, ok := successor(prefix); ok {
		s.bound = C.CBytes(end) // without it, a seek looks for a live key beyond all that was deleted
		C.rocksdb_readoptions_set_iterate_upper_bound(s.ro, (*C.char)(s.bound), C.size_t(len(end)))
	}
	s.it = C.rocksdb_create_iterator(d.db, s.ro)
	return s
}

// run calls yield until there is no more, or it returns false. ended says what to
// tell when yield has ended the scan itself.
func (s *scan) run(prefix []byte, yield func(key, value []byte) bool, ended func() error) error {
	p, n := chars(prefix)
	for found := C.weir_scan(s.it, 0, p, n, s.out); found == 1; found = C.weir_scan(s.it, 1, p, n, s.out) {
		more := yield(view(s.out.key, s.out.key_len), view(s.out.value, s.out.value_len))
		if s.it == nil {
			return ended()
		}
		if !more {
			return nil
		}
	}
	return s.d.failed("scan", s.out)
}

// end gives back what the scan holds. It may be called again.
func (s *scan) end() {
	if s.it == nil {
		return
	}
	C.rocksdb_iter_destroy(s.it)
	C.rocksdb_readoptions_destroy(s.ro)
	C.free(s.bound)
	freeResult(s.out)
	s.it = nil
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

// Close ends scans that are going on, one that a user began with iter.Pull and
// forgot among them.
func (d *db) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	for _, s := range d.scans {
		s.end()
	}
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
	db    *db
	at    *C.rocksdb_snapshot_t // nil once released
	scans []*scan               // going on
}

func (f *frozen) Scan(prefix []byte, yield func(key, value []byte) bool) error {
	if f.at == nil {
		return f.errReleased()
	}
	s := f.db.newScan(f.at, prefix)
	f.scans = append(f.scans, s)
	defer func() {
		f.scans = slices.DeleteFunc(f.scans, func(o *scan) bool { return o == s })
		s.end()
	}()
	return s.run(prefix, yield, f.errReleased)
}

func (f *frozen) errReleased() error {
	return fmt.Errorf("rocksdb of %s: what was frozen is used after Release", f.db.name)
}

func (f *frozen) Release() {
	if f.at == nil {
		return
	}
	for _, s := range f.scans {
		s.end()
	}
	C.rocksdb_release_snapshot(f.db.db, f.at)
	f.at = nil
	_ = f.db.leave() // a folder that stays is removed with its run
}
