package persistencetest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/weirflow/weir/persistence"
)

// OnHeap makes a Disk of any backend: its KVs are plain Go maps, which Freeze and
// Scan copy. With it, code for state on disk is tested without a disk.
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

func (m *mapKV) usable() error {
	if m.closed {
		return errors.New(m.name + ": used after Close")
	}
	return nil
}

func (m *mapKV) Get(buf, key []byte) ([]byte, bool, error) {
	v, ok := m.entries[string(key)]
	return append(buf, v...), ok, m.usable()
}

func (m *mapKV) Put(key, value []byte) error {
	if err := m.usable(); err != nil {
		return err
	}
	m.entries[string(key)] = string(value)
	return nil
}

func (m *mapKV) Append(key, tail []byte) error {
	if err := m.usable(); err != nil {
		return err
	}
	m.entries[string(key)] += string(tail)
	return nil
}

func (m *mapKV) Delete(key []byte) error {
	if err := m.usable(); err != nil {
		return err
	}
	delete(m.entries, string(key))
	return nil
}

func (m *mapKV) DeletePrefix(prefix []byte) error {
	maps.DeleteFunc(m.entries, func(k, _ string) bool { return strings.HasPrefix(k, string(prefix)) })
	return m.usable()
}

func (m *mapKV) Scan(prefix []byte, yield func(key, value []byte) bool) error {
	was := maps.Clone(m.entries)
	for _, k := range slices.Sorted(maps.Keys(was)) {
		if m.closed {
			break
		}
		if strings.HasPrefix(k, string(prefix)) && !yield([]byte(k), []byte(was[k])) {
			break
		}
	}
	return m.usable()
}

func (m *mapKV) Freeze() (persistence.FrozenKV, error) {
	return &frozenMapKV{mapKV{name: m.name, entries: maps.Clone(m.entries)}}, m.usable()
}

func (m *mapKV) Close() error {
	m.closed = true
	return nil
}

type frozenMapKV struct{ mapKV }

func (f *frozenMapKV) Scan(prefix []byte, yield func(key, value []byte) bool) error {
	if f.mapKV.Scan(prefix, yield) != nil {
		return errors.New(f.name + ": what was frozen is used after Release")
	}
	return nil
}

func (f *frozenMapKV) Release() { f.closed = true }
