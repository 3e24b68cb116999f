package coordinator

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
)

// What a group is told is the least of where its members say they are, whatever
// was lost, came twice or late, and whoever began anew: it is compared with a twin
// that keeps all that was ever said. Where nothing is lost any more, it is the least
// of where they are, so that the one who is there may go on.
func TestGroupClock(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newSea(rt)
		for range rapid.IntRange(0, 60).Draw(rt, "steps") {
			w.step()
			w.check()
		}
		for i := range w.members { // what is repeated arrives at last
			w.say(i)
		}
		w.said = nil
		for i, m := range w.members {
			w.group.hear(m.id, m.attempt, m.seq, m.watermark)
			w.heard[i] = m
		}
		w.check()
	})
}

type sea struct {
	rt      *rapid.T
	group   *groupClock
	members []sailor
	heard   []sailor // as it was heard of each last
	said    []sailor // under way
	told    []int64
}

type sailor struct {
	id        messages.SubtaskID
	attempt   messages.Attempt
	seq       uint64
	watermark int64
}

func newSea(rt *rapid.T) *sea {
	w := &sea{rt: rt}
	s := Source{Operator: "s", AlignGroup: "g", AlignDrift: time.Duration(rapid.IntRange(1, 100).Draw(rt, "drift")) * time.Millisecond, Parallelism: rapid.IntRange(1, 4).Draw(rt, "parallelism")}
	w.group = newGroupClocks([]Source{{Operator: "alone"}, s})[0]
	for i := range s.Parallelism {
		m := sailor{id: messages.SubtaskID{Chain: "s", Index: i}, watermark: messages.NoWatermark}
		w.members, w.heard = append(w.members, m), append(w.heard, m)
	}
	return w
}

func (w *sea) step() {
	i := rapid.IntRange(0, len(w.members)-1).Draw(w.rt, "member")
	switch rapid.SampledFrom([]string{"say", "say", "hear", "hear", "hear", "lose", "begin", "tell"}).Draw(w.rt, "what") {
	case "say":
		w.say(i)
	case "hear", "lose":
		w.hear()
	case "begin":
		w.begin(i)
	case "tell":
		w.tell()
	}
}

// say has a member go on, or back, as one does to which a split comes.
func (w *sea) say(i int) {
	m := &w.members[i]
	m.seq++
	m.watermark = rapid.OneOf(rapid.Int64Range(-100, 1000), rapid.Just(messages.MaxWatermark), rapid.Just(messages.NoWatermark)).Draw(w.rt, "at")
	w.said = append(w.said, *m)
}

// hear brings one of the words under way, and may leave it there to come again.
func (w *sea) hear() {
	if len(w.said) == 0 {
		return
	}
	k := rapid.IntRange(0, len(w.said)-1).Draw(w.rt, "word")
	m := w.said[k]
	if !rapid.Bool().Draw(w.rt, "again") {
		w.said = append(w.said[:k:k], w.said[k+1:]...)
	}
	w.group.hear(m.id, m.attempt, m.seq, m.watermark)
	if h := &w.heard[m.id.Index]; h.attempt == m.attempt && h.seq < m.seq {
		*h = m
	}
}

func (w *sea) begin(i int) {
	m := &w.members[i]
	*m = sailor{id: m.id, attempt: m.attempt + 1, watermark: messages.NoWatermark}
	w.heard[i] = *m
	w.group.begin(m.id, m.attempt)
}

func (w *sea) least() int64 {
	least := w.heard[0].watermark
	for _, m := range w.heard {
		least = min(least, m.watermark)
	}
	return least
}

func (w *sea) tell() {
	seq, at := w.group.tell()
	if w.told = append(w.told, at); seq != uint64(len(w.told)) || at != w.least() {
		w.rt.Fatalf("told #%d at %d, want #%d at %d: %v", seq, at, len(w.told), w.least(), w.heard)
	}
}

// check: a move is told at once when somebody may wait for it, or runs too far.
func (w *sea) check() {
	told := messages.NoWatermark
	if len(w.told) > 0 {
		told = w.told[len(w.told)-1]
	}
	least := w.least()
	want := least < told || least > told && (told == messages.NoWatermark || least == messages.MaxWatermark || least-told >= w.group.step)
	if got := w.group.moved(); got != want {
		w.rt.Fatalf("told %d, now %d, step %d: moved %v", told, least, w.group.step, got)
	}
	if got := w.group.least(); got != least {
		w.rt.Fatalf("least %d, want %d: %s", got, least, fmt.Sprint(w.heard))
	}
}

// A source that is aligned without a drift is refused, with its name, group, value and remedy.
func TestAlignmentIsValidated(t *testing.T) {
	w := newWorld(t)
	c := validConfig(w)
	c.Topology.Sources = []Source{{Operator: "a", Parallelism: 1, List: w.lister("a"), AlignGroup: "g"}}
	if _, err := Props(c); err == nil || err.Error() != `Topology.Sources: "a" of group "g" has AlignDrift 0s; give 1 ms or more` {
		t.Error(err)
	}
}
