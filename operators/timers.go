package operators

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators/plan"
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

// timers are the timers of an instance: for each domain a table, which is their state
// and keeps key and time from occurring twice, and a queue by time.
//
// Timers fire in the order of their times; at one time in the order of their
// keys' hashes, which a restore does not change.
//
// Invariant: every timer of a table is in its queue at least once. A queue
// also holds dead timers, those deleted since.
type timers[K comparable] struct {
	schema  *messages.StateSchema
	scope   *keyScope[K]
	keys    keyKind[K]
	subkeys subkeys
	tables  [2]*table.Table[timerKey[K], struct{}]
	slabs   [2]timerSlabs
	queues  [2]timerQueue[K]
	dead    int              // in both queues
	held    []queuedTimer[K] // due, but not for their groups yet: see popHeld
}

type timerKey[K comparable] struct {
	key K
	at  int64 // ms
}

// timersState is the name of their state.
const timersState = "_timers"

// declareTimers adds timers to the states of an instance.
func declareTimers[K comparable](s *States[K]) *timers[K] {
	t := &timers[K]{
		schema:  &messages.StateSchema{Name: timersState, Kind: "timers", Key: s.keys.codec.Name()},
		scope:   s.scope,
		keys:    s.keys,
		subkeys: newSubkeys(s.groups),
	}
	for d := range t.tables {
		t.tables[d] = table.New[timerKey[K]](table.Options[struct{}]{})
		t.queues[d] = newTimerQueue(s.keys)
	}
	s.all = append(s.all, t)
	return t
}

func (t *timers[K]) placed(hash uint64, d Domain, k timerKey[K]) (uint64, timerKey[K]) {
	slab, bits := t.slabs[d].of(k.at)
	return t.subkeys.placeNear(hash, uint64(k.at)<<1|uint64(d), slab, bits), k
}

// register sets a timer for the current key and tells whether it has become the
// next one of its domain.
func (t *timers[K]) register(d Domain, at int64) (next bool) {
	return t.add(t.scope.hash, d, timerKey[K]{t.scope.key, at})
}

// ahead learns how far ahead a timer is that is about to be registered, in ms.
func (t *timers[K]) ahead(d Domain, ms int64) { t.slabs[d].ahead(ms) }

func (t *timers[K]) add(hash uint64, d Domain, k timerKey[K]) (next bool) {
	if _, existed := t.tables[d].Upsert(t.placed(hash, d, k)); existed {
		return false
	}
	q := &t.queues[d]
	q.push(queuedTimer[K]{at: k.at, hash: hash, key: k.key})
	if t.tables[d].Len() == manyTimers && !t.slabs[d].decided {
		t.cutSlabs(d)
	}
	first, _ := q.first()
	return first == k.at
}

// cutSlabs decides on slabs and brings the timers there are into theirs.
func (t *timers[K]) cutSlabs(d Domain) {
	old, times := t.tables[d], make([]int64, 0, manyTimers)
	old.Scan(func(_ uint64, k *timerKey[K], _ *struct{}) bool {
		times = append(times, k.at)
		return true
	})
	t.slabs[d].decide(times)
	t.tables[d] = table.New[timerKey[K]](table.Options[struct{}]{})
	old.Scan(func(_ uint64, k *timerKey[K], _ *struct{}) bool {
		t.tables[d].Upsert(t.placed(t.keys.hash(k.key), d, *k))
		return true
	})
}

// delete takes back a timer of the current key.
func (t *timers[K]) delete(d Domain, at int64) {
	if !t.tables[d].Delete(t.placed(t.scope.hash, d, timerKey[K]{t.scope.key, at})) {
		return
	}
	if t.dead++; t.dead > t.Len()+64 {
		t.rebuild()
	}
}

// rebuild makes the queues anew without the dead.
func (t *timers[K]) rebuild() {
	t.dead = 0
	for d := range t.tables {
		q := &t.queues[d]
		q.reset()
		t.tables[d].Scan(func(_ uint64, k *timerKey[K], _ *struct{}) bool {
			q.push(queuedTimer[K]{at: k.at, hash: t.keys.hash(k.key), key: k.key})
			return true
		})
	}
}

// pop takes out the first timer due at now and makes its key the current one.
func (t *timers[K]) pop(d Domain, now int64) (at int64, ok bool) {
	q := &t.queues[d]
	for next, ok := q.pop(now); ok; next, ok = q.pop(now) {
		if t.tables[d].Delete(t.placed(next.hash, d, timerKey[K]{next.key, next.at})) || mutant.On("deleted-timer-fires") {
			if mutant.On("fired-timer-stays") {
				t.tables[d].Upsert(t.placed(next.hash, d, timerKey[K]{next.key, next.at}))
			}
			t.scope.key, t.scope.hash = next.key, next.hash
			return next.at, true
		}
		t.dead--
	}
	return 0, false
}

// set registers a timer for the current key, and asks the runtime for it if it is the
// next one of processing time.
func (t *timers[K]) set(d Domain, at int64, rt *plan.Runtime) {
	if t.register(d, at) && d == ProcessingTime {
		rt.SetTimer(at)
	}
}

// wake asks the runtime for the next timer of processing time. One that is overdue
// when a restored subtask opens so fires at once.
func (t *timers[K]) wake(rt *plan.Runtime) {
	if at, ok := t.next(ProcessingTime); ok {
		rt.SetTimer(at)
	}
}

// popHeld is pop, but for timers of event time in key groups whose own clock is ahead
// of the subtask's: those were set behind that clock, and wait until it is passed.
func (t *timers[K]) popHeld(d Domain, now int64, clocks *groupClocks) (at int64, ok bool) {
	if d == ProcessingTime || clocks.floors == nil {
		return t.pop(d, now)
	}
	for at, ok = t.pop(d, now); ok && clocks.holds(t.scope.hash); at, ok = t.pop(d, now) {
		t.held = append(t.held, queuedTimer[K]{at: at, hash: t.scope.hash, key: t.scope.key})
	}
	if !ok {
		for _, h := range t.held {
			t.add(h.hash, d, timerKey[K]{h.key, h.at})
		}
		t.held = t.held[:0]
	}
	return at, ok
}

// next is the time of the first timer of a domain, or of one deleted before it.
func (t *timers[K]) next(d Domain) (at int64, ok bool) { return t.queues[d].first() }

// What the runtime sees: timers as key, domain, time.

func (t *timers[K]) Schema() *messages.StateSchema { return t.schema }

func (t *timers[K]) Len() int { return t.tables[EventTime].Len() + t.tables[ProcessingTime].Len() }

func (t *timers[K]) Freeze() persistence.Frozen {
	f := &frozenTimers[K]{groups: t.subkeys.groups, codec: t.keys.codec}
	for d := range t.tables {
		f.tables[d] = t.tables[d].Freeze()
	}
	return f
}

func (t *timers[K]) ReadGroup(g messages.KeyGroup, in io.Reader) error {
	err := readBlocks(in, 0, nil, func(p []byte) ([]byte, error) { return t.readTimer(g, p) })
	if err != nil {
		return fmt.Errorf("state %q, key group %d: %w", timersState, g, err)
	}
	return nil
}

func (t *timers[K]) readTimer(g messages.KeyGroup, p []byte) (rest []byte, err error) {
	key, p, err := t.keys.codec.Decode(p)
	if err != nil {
		return p, err
	}
	if len(p) < 9 || p[0] > byte(ProcessingTime) {
		return p, fmt.Errorf("timer: %w", errShortBlock)
	}
	hash := t.keys.hash(key)
	if !mutant.On("forget-timers") && !(mutant.On("clock-timers-lost") && p[0] == byte(ProcessingTime)) {
		t.add(hash, Domain(p[0]), timerKey[K]{key, int64(binary.LittleEndian.Uint64(p[1:]))})
	}
	return p[9:], inGroup(hash, g, t.subkeys.groups)
}

// frozenTimers are timers at a barrier.
type frozenTimers[K comparable] struct {
	groups int // the topology's maximal parallelism
	codec  Codec[K]
	tables [2]*table.Frozen[timerKey[K], struct{}]
}

func (f *frozenTimers[K]) WriteGroup(g messages.KeyGroup, out io.Writer) (int, error) {
	w := newBlockWriter(out)
	defer w.release()
	var err error
	for d, frozen := range f.tables {
		frozen.ScanGroup(g, f.groups, func(_ uint64, k *timerKey[K], _ *struct{}) bool {
			err = w.entry(f.appendTimer(w.buf, Domain(d), k))
			return err == nil
		})
		if err != nil {
			return w.total, err
		}
	}
	return w.total, w.close()
}

func (f *frozenTimers[K]) appendTimer(buf []byte, d Domain, k *timerKey[K]) ([]byte, error) {
	buf, err := f.codec.Append(buf, k.key)
	return binary.LittleEndian.AppendUint64(append(buf, byte(d)), uint64(k.at)), err
}

func (f *frozenTimers[K]) Release() {
	for _, frozen := range f.tables {
		frozen.Release()
	}
}
