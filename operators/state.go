package operators

import (
	"fmt"
	"iter"
	"strings"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence"
)

// ValueState is one value a key. Like every state it is scoped to the key of the
// record or timer that is being worked on.
//
// What Get gives may be changed in place and handed back to Set. Without Set a
// change may last on the heap and never does on disk, where Get gives what has
// gone through the codec: of a time.Time, for one, the offset without its zone's name.
type ValueState[V any] interface {
	// Get gives the value, and false if none is set: unset is not zero.
	Get() (V, bool)
	// Set replaces the value, which belongs to the state from then on.
	Set(v V)
	// Clear unsets the value.
	Clear()
}

// ListState is a list of elements a key, in the order of Append. Elements must not
// be changed in place once they are appended.
type ListState[E any] interface {
	// Append adds an element at the end. It does not read the list, on disk neither.
	Append(e E)
	// All iterates over the elements there were when it began.
	All() iter.Seq[E]
	// Len is the number of elements.
	Len() int
	// Clear removes all elements.
	Clear()
}

// MapState is a map a key. Each of its entries is stored on its own, and no method
// touches more than one of them but All, Clear and, on disk, Len.
type MapState[MK comparable, MV any] interface {
	// Get gives the value of k, and false if there is none. It may be changed
	// in place and handed back to Put.
	Get(k MK) (MV, bool)
	// Put sets the value of k, which belongs to the state from then on.
	Put(k MK, v MV)
	// Delete removes k.
	Delete(k MK)
	// All iterates over the entries there were when it began, less those that
	// were deleted since: numbers and strings in ascending order, other keys in
	// the order of their encoding.
	All() iter.Seq2[MK, MV]
	// Len is the number of entries.
	Len() int
	// Clear removes all entries.
	Clear()
}

// States is where a process function declares its state, once when the topology
// is built and once in every subtask. See Process.
type States[K comparable] struct {
	scope  *keyScope[K]
	keys   keyKind[K]
	groups int         // the topology's maximal parallelism
	kv     *operatorKV // nil: they are on the heap
	all    []persistence.State
	errs   []error
}

// keyScope is the key that state is scoped to right now. An instance has one
// and all its states look at it.
type keyScope[K comparable] struct {
	key  K
	hash uint64
	none bool // there is no key: nothing is there, and who writes is found out
}

// leave takes the key away until none is false again. A hash that the zero key does
// not have finds nothing in a table.
func (s *keyScope[K]) leave(nobody uint64) { s.key, s.hash, s.none = *new(K), nobody, true }

// newStates begins the states of an operator, on the heap if there is no KV.
func newStates[K comparable](keys keyKind[K], groups int, kv *operatorKV) *States[K] {
	return &States[K]{scope: &keyScope[K]{}, keys: keys, groups: groups, kv: kv}
}

// declare checks a state's name, describes it, and notes what is wrong with it.
func (s *States[K]) declare(name, kind, value string, err error) *messages.StateSchema {
	switch {
	case err != nil:
		s.fail("state %q: %w", name, err)
	case name == "":
		s.fail("a %s state has no name; the name is what finds it again at a restore", kind)
	case strings.HasPrefix(name, "_"):
		s.fail("state %q: names that begin with '_' are the engine's own; leave it out", name)
	case s.declared(name):
		s.fail("state %q is declared twice; give each state of an operator a name of its own", name)
	}
	return &messages.StateSchema{Name: name, Kind: kind, Key: s.keys.codec.Name(), Value: value}
}

func (s *States[K]) fail(format string, args ...any) {
	s.errs = append(s.errs, fmt.Errorf(format, args...))
}

func (s *States[K]) declared(name string) bool {
	for _, st := range s.all {
		if st.Schema().Name == name {
			return true
		}
	}
	return false
}

// schemas describes the states declared so far.
func (s *States[K]) schemas() []*messages.StateSchema { return schemasOf(s.all) }

func schemasOf(states []persistence.State) []*messages.StateSchema {
	var all []*messages.StateSchema
	for _, st := range states {
		all = append(all, st.Schema())
	}
	return all
}
