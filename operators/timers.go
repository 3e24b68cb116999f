package operators

import (
	"encoding/binary"
	"fmt"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/table"
)

// Domain is the time that a timer waits for.
type Domain uint8

// The domains of timers.
const (
	EventTime      Domain = iota // the watermark
	ProcessingTime               // the clock of the node
)

// String gives "event time" or "processing time".
func (d Domain) String() string {
	if d == EventTime {
		return "event time"
	}
	return "processing time"
}

// timers are the timers of an instance: a table, which is their state and keeps
// key and time from occurring twice, and for each domain a queue by time.
//
// Timers fire in the order of their times; at one time in the order of their
// keys' hashes, which a restore does not change.
//
// Invariant: every timer of the table is in its queue at least once. A queue
// also holds dead timers, those deleted since.
type timers[K comparable] struct {
	scope   *keyScope[K]
	keys    keyKind[K]
	subkeys subkeys
	table   *table.Table[timerKey[K], uint64] // the value is the key's hash
	queues  [2]timerQueue[K]
	dead    int // in both queues
}

type timerKey[K comparable] struct {
	key    K
	at     int64 // ms
	domain Domain
}

// timersState is the name of their state.
const timersState = "_timers"

// declareTimers adds timers to the states of an instance.
func declareTimers[K comparable](s *States[K]) *timers[K] {
	t := &timers[K]{
		scope:   s.scope,
		keys:    s.keys,
		subkeys: newSubkeys(s.groups),
		table:   table.New[timerKey[K]](table.Options[uint64]{}),
	}
	s.all = append(s.all, t.erased(s.groups))
	return t
}

func (t *timers[K]) placed(hash uint64, k timerKey[K]) (uint64, timerKey[K]) {
	return t.subkeys.place(hash, uint64(k.at)<<1|uint64(k.domain)), k
}

// register sets a timer for the current key and tells whether it has become the
// next one of its domain.
func (t *timers[K]) register(d Domain, at int64) (next bool) {
	return t.add(t.scope.hash, timerKey[K]{t.scope.key, at, d})
}

func (t *timers[K]) add(hash uint64, k timerKey[K]) (next bool) {
	place, existed := t.table.Upsert(t.placed(hash, k))
	if existed {
		return false
	}
	*place = hash
	q := &t.queues[k.domain]
	q.push(t, queuedTimer[K]{at: k.at, hash: hash, key: k.key})
	return q.heap[0].at == k.at
}

// delete takes back a timer of the current key.
func (t *timers[K]) delete(d Domain, at int64) {
	if !t.table.Delete(t.placed(t.scope.hash, timerKey[K]{t.scope.key, at, d})) {
		return
	}
	if t.dead++; t.dead > t.table.Len()+64 {
		t.rebuild()
	}
}

// rebuild makes the queues anew without the dead.
func (t *timers[K]) rebuild() {
	t.queues[EventTime].heap, t.queues[ProcessingTime].heap = nil, nil
	t.dead = 0
	t.table.Scan(func(_ uint64, k *timerKey[K], hash *uint64) bool {
		t.queues[k.domain].push(t, queuedTimer[K]{at: k.at, hash: *hash, key: k.key})
		return true
	})
}

// pop takes out the first timer due at now and makes its key the current one.
func (t *timers[K]) pop(d Domain, now int64) (at int64, ok bool) {
	q := &t.queues[d]
	for len(q.heap) > 0 && q.heap[0].at <= now {
		next := q.pop(t)
		if t.table.Delete(t.placed(next.hash, timerKey[K]{next.key, next.at, d})) {
			t.scope.key, t.scope.hash = next.key, next.hash
			return next.at, true
		}
		t.dead--
	}
	return 0, false
}

// next is the time of the first timer of a domain, or of one deleted before it.
func (t *timers[K]) next(d Domain) (at int64, ok bool) {
	if q := &t.queues[d]; len(q.heap) > 0 {
		return q.heap[0].at, true
	}
	return 0, false
}

// erased is the state for the runtime: timers as key, domain, time.
func (t *timers[K]) erased(groups int) persistence.State {
	return &tableState[timerKey[K], uint64]{
		schema: &messages.StateSchema{Name: timersState, Kind: "timers", Key: t.keys.codec.Name()},
		groups: groups, table: t.table,
		write: func(buf []byte, k *timerKey[K], _ *uint64) ([]byte, error) {
			buf, err := t.keys.codec.Append(buf, k.key)
			if err != nil {
				return buf, err
			}
			return binary.LittleEndian.AppendUint64(append(buf, byte(k.domain)), uint64(k.at)), nil
		},
		read: func(p []byte) (uint64, []byte, error) {
			key, p, err := t.keys.codec.Decode(p)
			if err != nil {
				return 0, p, err
			}
			if len(p) < 9 || p[0] > byte(ProcessingTime) {
				return 0, p, fmt.Errorf("timer: %w", errShortBlock)
			}
			hash := t.keys.hash(key)
			if mutant.On("forget-timers") {
				return hash, p[9:], nil
			}
			t.add(hash, timerKey[K]{key, int64(binary.LittleEndian.Uint64(p[1:])), Domain(p[0])})
			return hash, p[9:], nil
		},
	}
}
