package operators

import (
	"encoding/binary"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// BroadcastStates is where the function of a BroadcastProcess declares the state
// that all subtasks have alike. See BroadcastProcess.
type BroadcastStates struct {
	all  []broadcastState
	errs []error
}

// broadcastState is a BroadcastState, its types erased.
type broadcastState interface {
	describe() *messages.StateSchema
	encode(buf []byte) ([]byte, error)
	decode(p []byte) error
}

// BroadcastState is a map of its own in every subtask, with the same content:
// only ProcessBroadcast can write it. It is encoded whole at every barrier, so
// it should be small.
type BroadcastState[MK comparable, MV any] struct {
	owner  *BroadcastStates
	schema *messages.StateSchema
	keys   Codec[MK]
	values Codec[MV]
	order  func(a, b MK) int

	entries map[MK]MV
	sorted  []MK // the map's keys; what is in it stays, for it may be iterated over
}

// Broadcasting is what writes to broadcast state need: the context of
// ProcessBroadcast, while that runs.
type Broadcasting interface {
	Sides
	writable() *BroadcastStates
}

// NewBroadcastState declares a BroadcastState. Its name must be unique within
// the operator.
func NewBroadcastState[MK comparable, MV any](b *BroadcastStates, name string) *BroadcastState[MK, MV] {
	keys, err := broadcastKey[MK]()
	if err != nil {
		b.fail("state %q: %w", name, err)
		return nil
	}
	values, err := CodecOf[MV]()
	if err != nil {
		b.fail("state %q: %w", name, err)
		return nil
	}
	s := &BroadcastState[MK, MV]{
		owner: b, keys: keys, values: values, order: orderOf(keys), entries: map[MK]MV{},
		schema: &messages.StateSchema{Name: name, Kind: "broadcast", Value: keys.Name() + " -> " + values.Name()},
	}
	b.all = append(b.all, s)
	return s
}

func broadcastKey[MK comparable]() (Codec[MK], error) {
	if err := checkKey(reflect.TypeFor[MK]()); err != nil {
		return nil, fmt.Errorf("its map key: %w", err)
	}
	return CodecOf[MK]()
}

// Get gives the value of k, and false if there is none. It must not be changed.
func (s *BroadcastState[MK, MV]) Get(k MK) (MV, bool) {
	v, ok := s.entries[k]
	return v, ok
}

// All iterates over the entries there were when it began, less those that were
// deleted since: numbers and strings in ascending order, other keys in the order
// of their encoding.
func (s *BroadcastState[MK, MV]) All() iter.Seq2[MK, MV] {
	return func(yield func(MK, MV) bool) {
		for _, k := range s.sorted {
			if v, ok := s.entries[k]; ok && !yield(k, v) {
				return
			}
		}
	}
}

// Len is the number of entries.
func (s *BroadcastState[MK, MV]) Len() int { return len(s.entries) }

// Put sets the value of k, which belongs to the state from then on.
func (s *BroadcastState[MK, MV]) Put(ctx Broadcasting, k MK, v MV) {
	if s.mayWrite(ctx) {
		s.put(k, v)
	}
}

func (s *BroadcastState[MK, MV]) put(k MK, v MV) {
	if n := len(s.sorted); n == 0 || s.order(s.sorted[n-1], k) < 0 {
		s.sorted = append(s.sorted, k)
	} else if i, there := slices.BinarySearchFunc(s.sorted, k, s.order); !there {
		s.sorted = slices.Insert(slices.Clip(s.sorted), i, k)
	}
	s.entries[k] = v
}

// Delete removes k.
func (s *BroadcastState[MK, MV]) Delete(ctx Broadcasting, k MK) {
	if i, there := slices.BinarySearchFunc(s.sorted, k, s.order); there && s.mayWrite(ctx) {
		s.sorted = slices.Delete(slices.Clone(s.sorted), i, i+1)
		delete(s.entries, k)
	}
}

// Clear removes all entries.
func (s *BroadcastState[MK, MV]) Clear(ctx Broadcasting) {
	if s.mayWrite(ctx) {
		s.sorted = nil
		clear(s.entries)
	}
}

// mayWrite fails the attempt when a context is used that was kept from a call
// before, or that is another operator's.
func (s *BroadcastState[MK, MV]) mayWrite(ctx Broadcasting) bool {
	if ctx.writable() == s.owner {
		return true
	}
	ctx.sideOutputs().fail(fmt.Errorf("broadcast state %q was written outside of its ProcessBroadcast; the context that it takes is valid during that call only", s.schema.GetName()))
	return false
}

// describe gives the states declared, behind the keyed ones, and what is wrong
// with them.
func (b *BroadcastStates) describe(keyed []*messages.StateSchema) ([]*messages.StateSchema, []error) {
	all := keyed
	for _, st := range b.all {
		s := st.describe()
		switch name := s.GetName(); {
		case name == "":
			b.fail("a broadcast state has no name; the name is what finds it again at a restore")
		case strings.HasPrefix(name, "_"):
			b.fail("state %q: names that begin with '_' are the engine's own; leave it out", name)
		case slices.ContainsFunc(all, func(o *messages.StateSchema) bool { return o.GetName() == name }):
			b.fail("state %q is declared twice; give each state of an operator a name of its own", name)
		}
		all = append(all, s)
	}
	return all, b.errs
}

func (b *BroadcastStates) fail(format string, args ...any) {
	b.errs = append(b.errs, fmt.Errorf(format, args...))
}

func (s *BroadcastState[MK, MV]) describe() *messages.StateSchema { return s.schema }

// The broadcast states of an operator in a checkpoint, one after the other:
//
//	name     behind its length, uvarint
//	uvarint  bytes that follow for this state
//	...      entries in the order of their keys, each as the codecs write it
//
// It depends on the content alone, so every subtask writes the same.

func (b *BroadcastStates) encode() (buf []byte, err error) {
	var body []byte
	for _, st := range b.all {
		if body, err = st.encode(body[:0]); err != nil {
			return nil, fmt.Errorf("broadcast state %q: %w", st.describe().GetName(), err)
		}
		name := st.describe().GetName()
		buf = append(binary.AppendUvarint(buf, uint64(len(name))), name...)
		buf = append(binary.AppendUvarint(buf, uint64(len(body))), body...)
	}
	return buf, nil
}

func (s *BroadcastState[MK, MV]) encode(buf []byte) (_ []byte, err error) {
	for _, k := range s.sorted {
		if buf, err = s.keys.Append(buf, k); err != nil {
			return buf, err
		}
		if buf, err = s.values.Append(buf, s.entries[k]); err != nil {
			return buf, err
		}
	}
	return buf, nil
}

func (b *BroadcastStates) decode(p []byte) error {
	for len(p) > 0 {
		name, rest, ok := cutBytes(p)
		if !ok {
			return errShortBlock
		}
		var body []byte
		if body, p, ok = cutBytes(rest); !ok {
			return errShortBlock
		}
		if err := b.decodeState(string(name), body); err != nil {
			return err
		}
	}
	return nil
}

func (b *BroadcastStates) decodeState(name string, body []byte) error {
	i := slices.IndexFunc(b.all, func(s broadcastState) bool { return s.describe().GetName() == name })
	if i < 0 {
		return &plan.MismatchError{Reason: fmt.Sprintf("the checkpoint holds broadcast state %q, which this operator does not declare; declare it again, or give the operator another name", name)}
	}
	if err := b.all[i].decode(body); err != nil {
		return fmt.Errorf("broadcast state %q: %w", name, err)
	}
	return nil
}

func (s *BroadcastState[MK, MV]) decode(p []byte) error {
	for len(p) > 0 {
		k, rest, err := s.keys.Decode(p)
		if err != nil {
			return err
		}
		v, rest, err := s.values.Decode(rest)
		if err != nil {
			return err
		}
		s.put(k, v)
		p = rest
	}
	return nil
}

// cutBytes cuts off what stands behind its length, uvarint.
func cutBytes(p []byte) (cut, rest []byte, ok bool) {
	n, p, ok := uvarint(p)
	if !ok || n > uint64(len(p)) {
		return nil, p, false
	}
	return p[:n], p[n:], true
}
