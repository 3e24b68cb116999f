package persistencetest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/weirflow/weir/persistence"
)

// OnHeap makes a Disk of any backend: its KVs are plain Go maps. With it, code
// for state on disk is tested without a disk, and a disk is compared with it.
func OnHeap(b persistence.Backend) persistence.Disk { return onHeap{b} }

type onHeap struct{ persistence.Backend }

func (onHeap) OpenKV(_ context.Context, name string) (persistence.KV, error) {
	return &mapKV{name: name, entries: map[string]string{}}, nil
}

// mapKV is the plainest persistence.KV.
type mapKV struct {
	name    string
	entries map[string]string
	closed  bool
}

func (m *mapKV) open() error {
	if m.closed {
		return errors.New(m.name + ": used after Close")
	}
	return nil
}

func (m *mapKV) Get(buf, key []byte) ([]byte, bool, error) {
	v, ok := m.entries[string(key)]
	return append(buf, v...), ok, m.open()
}

func (m *mapKV) Put(key, value []byte) error {
	m.entries[string(key)] = string(value)
	return m.open()
}

func (m *mapKV) Append(key, tail []byte) error {
	m.entries[string(key)] += string(tail)
	return m.open()
}

func (m *mapKV) Delete(key []byte) error {
	delete(m.entries, string(key))
	return m.open()
}

func (m *mapKV) DeletePrefix(prefix []byte) error {
	maps.DeleteFunc(m.entries, func(k, _ string) bool { return strings.HasPrefix(k, string(prefix)) })
	return m.open()
}

func (m *mapKV) Scan(prefix []byte, yield func(key, value []byte) bool) error {
	was := maps.Clone(m.entries)
	for _, k := range slices.Sorted(maps.Keys(was)) {
		if strings.HasPrefix(k, string(prefix)) && !yield([]byte(k), []byte(was[k])) {
			break
		}
	}
	return m.open()
}

func (m *mapKV) Freeze() (persistence.FrozenKV, error) {
	return &frozenMapKV{mapKV{name: m.name, entries: maps.Clone(m.entries)}}, m.open()
}

func (m *mapKV) Close() error {
	m.closed = true
	return nil
}

type frozenMapKV struct{ mapKV }

func (f *frozenMapKV) Release() { f.closed = true }
