package operators

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/weirflow/weir/messages"
)

const slabGroups = 16

func manyTimersOf(t *testing.T) *timers[int64] {
	t.Helper()
	codec, err := CodecOf[int64]()
	if err != nil {
		t.Fatal(err)
	}
	return declareTimers(newStates(keyKindOf(codec), slabGroups, nil))
}

func (t *timers[K]) enter(key K) { t.scope.key, t.scope.hash = key, t.keys.hash(key) }

// restored gives timers that were written by another instance, group by group.
func restored(t *testing.T, from *timers[int64]) *timers[int64] {
	to, frozen := manyTimersOf(t), from.Freeze()
	defer frozen.Release()
	for g := range messages.KeyGroup(slabGroups) {
		var block bytes.Buffer
		if _, err := frozen.WriteGroup(g, &block); err != nil {
			t.Fatal(err)
		}
		if err := to.ReadGroup(g, &block); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// S78: many timers are those of a sorted list, with repetitions, deletions and a
// restore in between, also when they are moved into slabs meanwhile: each fires once,
// in the order of the times and at one time in that of the keys' hashes.
func TestS78_ManyTimersInSlabs(t *testing.T) {
	for name, c := range map[string]struct {
		at    func(i int64) int64
		ahead int64
		bits  uint
	}{
		"ten seconds ahead":     {func(i int64) int64 { return i/4 + 10_000 }, 10_000, slabBits},
		"anywhere":              {func(i int64) int64 { return int64(uint64(i*0x9e3779b9)%1_000_000) - 500_000 }, 0, slabBits},
		"the end of one window": {func(int64) int64 { return 60_000 }, 30_000, 0},
		"before all time":       {func(i int64) int64 { return messages.MinEventTime + i }, 0, slabBits},
		"all of time":           {func(i int64) int64 { return (i%3 - 1) * (messages.MaxEventTime - i) }, 0, slabBits},
	} {
		t.Run(name, func(t *testing.T) {
			timers, want := manyTimersOf(t), map[timerKey[int64]]bool{}
			rng := rand.New(rand.NewPCG(1, 2))
			for i := range int64(3 * manyTimers) {
				k := timerKey[int64]{rng.Int64N(1 << 40), c.at(i)}
				timers.enter(k.key)
				if c.ahead > 0 {
					timers.slabs[EventTime].ahead(c.ahead)
				}
				timers.register(EventTime, k.at)
				timers.register(EventTime, k.at)
				if want[k] = true; rng.IntN(4) == 0 {
					timers.delete(EventTime, k.at)
					delete(want, k)
				}
			}
			if got := timers.slabs[EventTime]; !got.decided || got.bits != c.bits {
				t.Errorf("slabs %+v, want %d bits", got, c.bits)
			}
			for _, s := range []*timersOfTest{{"registered", timers}, {"restored", restored(t, timers)}} {
				s.mustFire(t, want)
			}
		})
	}
}

type timersOfTest struct {
	name string
	*timers[int64]
}

func (s *timersOfTest) mustFire(t *testing.T, want map[timerKey[int64]]bool) {
	var all []timerKey[int64]
	for k := range want {
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b timerKey[int64]) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(s.keys.hash(a.key), s.keys.hash(b.key)))
	})
	if s.Len() != len(all) {
		t.Fatalf("%s: %d timers, want %d", s.name, s.Len(), len(all))
	}
	for i, k := range all {
		if at, ok := s.pop(EventTime, messages.MaxEventTime); !ok || at != k.at || s.scope.key != k.key {
			t.Fatalf("%s: timer %d is of key %d at %d, %v; want key %d at %d", s.name, i, s.scope.key, at, ok, k.key, k.at)
		}
	}
	if at, ok := s.pop(EventTime, messages.MaxEventTime); ok || s.Len() != 0 {
		t.Fatalf("%s: one more at %d, %d left", s.name, at, s.Len())
	}
}

// S78, border 6: a timer that is set behind the clock waits for the next greater watermark of its own key group, which
// after a rescale may be ahead of the subtask's.
func TestS78_OverdueTimerWaitsForItsGroup(t *testing.T) {
	timers, clocks := manyTimersOf(t), newGroupClocks("key")
	clocks.groups, clocks.max = messages.KeyGroupRange{To: slabGroups}, slabGroups
	timers.enter(1)
	ahead := messages.KeyGroupOf(timers.scope.hash, slabGroups)
	for g := range messages.KeyGroup(slabGroups) {
		if clocks.raise(g, 7); g == ahead {
			clocks.raise(g, 23)
		}
	}
	clocks.start()
	for key := int64(1); key < 50; key++ {
		timers.enter(key)
		timers.register(EventTime, -15)
	}
	fired := map[int64]int64{}
	for _, watermark := range []int64{8, 23, 24} {
		if !clocks.advance(watermark) {
			t.Fatalf("the clock did not advance to %d", watermark)
		}
		for at, ok := timers.popHeld(EventTime, watermark, &clocks); ok; at, ok = timers.popHeld(EventTime, watermark, &clocks) {
			if fired[timers.scope.key] = watermark; at != -15 {
				t.Errorf("key %d fires at %d", timers.scope.key, at)
			}
		}
		clocks.forgetFloors()
	}
	for key := int64(1); key < 50; key++ {
		timers.enter(key)
		want := int64(8)
		if messages.KeyGroupOf(timers.scope.hash, slabGroups) == ahead {
			want = 24
		}
		if fired[key] != want {
			t.Errorf("key %d fired at watermark %d, want %d", key, fired[key], want)
		}
	}
	if timers.Len() != 0 {
		t.Errorf("%d timers left", timers.Len())
	}
}
