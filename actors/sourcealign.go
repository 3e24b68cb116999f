package actors

import (
	"time"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// The alignment of a source: its splits do not go ahead of the slowest split of
// their group by more than the drift. A split that is ahead is not read, and what
// was read of it already waits; barriers, the end, and all other splits go on.
//
// What a subtask knows of its group is the least watermark that the coordinator
// told last. Before the first word that is "none yet": every split is read until it
// has a watermark, and no further.

// alignEvery is how often a subtask says where it is, news or not, since messages
// get lost.
const alignEvery = 200 * time.Millisecond

// alignment is a source's place in its group. Invariant: the split with the least
// watermark of the group is read, since its watermark is not above the limit.
type alignment struct {
	group  string
	drift  int64  // ms
	limit  int64  // ms; a split with a greater watermark is not read
	heard  uint64 // number of the newest word of the coordinator
	sent   uint64 // how often the subtask said where it is
	told   int64  // ms; what it said last
	saying bool   // an alignSoon is on its way
	paused *plan.Counter
	pauses *plan.Counter
}

type alignTick struct{} // say where the splits are, and come back
type alignSoon struct{} // say where the splits are: they moved

func newAlignment(n *node) *alignment {
	spec := n.op.Source
	if spec.AlignGroup == "" {
		return nil
	}
	return &alignment{
		group: spec.AlignGroup, drift: spec.AlignDrift.Milliseconds(), limit: messages.NoWatermark,
		paused: n.counter("splits_paused"), pauses: n.counter("alignment_pauses"),
	}
}

// startAlignment says where the splits are for the first time.
func (src *source) startAlignment() {
	if src.align != nil {
		src.onAlignTick()
	}
}

// onAlignTick goes on to the end of the attempt: that a source has ended must
// arrive, too.
func (src *source) onAlignTick() {
	src.tellLeast()
	src.s.after(alignEvery, alignTick{})
}

func (src *source) onAlignSoon() {
	if src.align.saying = false; src.align.isNews(src.least()) {
		src.tellLeast()
	}
}

func (src *source) tellLeast() {
	a := src.align
	a.sent++
	a.told = src.least()
	src.s.tell(&messages.SourceWatermark{
		Job: string(src.s.o.Job), Attempt: uint64(src.s.attempt), Subtask: src.s.id.Proto(), Seq: a.sent, Watermark: a.told,
	})
}

// maybeTellLeast says soon where the splits are if that is news.
func (src *source) maybeTellLeast() {
	a := src.align
	if a == nil || a.sent == 0 || a.saying || !a.isNews(src.least()) {
		return
	}
	a.saying = true
	src.s.after(src.s.o.Linger, alignSoon{})
}

// isNews tells whether others may wait for this.
func (a *alignment) isNews(least int64) bool {
	return messages.AlignmentNews(a.told, least, messages.AlignmentStep(a.drift))
}

// least is the least watermark of the splits that count: those that are read and
// are not idle. One that is behind the clock holds back no less than that.
func (src *source) least() int64 {
	least := messages.MaxWatermark
	if src.ended || src.stopped {
		return least
	}
	for _, sp := range src.splits {
		if w, idle := src.clock.Input(sp.input); sp.reader != nil && !sp.finished && !idle {
			least = min(least, max(w, src.clock.Current()))
		}
	}
	return least
}

// pace decides whether a split waits for others, and counts the pauses. One that is idle does not, for
// whether it has anything is known only by reading it.
func (src *source) pace(sp *split) {
	a := src.align
	if a == nil {
		return
	}
	w, idle := src.clock.Input(sp.input)
	was := sp.ahead
	if sp.ahead = w > a.limit && !idle && !sp.finished; sp.ahead && !was {
		a.pauses.Add(1)
	}
}

// onGroup takes the group's least watermark. The newest counts, also when it is
// less than one before.
func (src *source) onGroup(m *messages.GroupWatermark) error {
	a := src.align
	if a == nil || m.GetGroup() != a.group || m.GetSeq() <= a.heard {
		return nil
	}
	a.heard, a.limit = m.GetSeq(), aheadBy(m.GetWatermark(), a.drift)
	return src.pull()
}

// aheadBy adds a drift to a watermark; none stays none, and the greatest stays it.
func aheadBy(watermark, drift int64) int64 {
	switch {
	case watermark == messages.NoWatermark:
		return watermark
	case watermark > messages.MaxWatermark-drift:
		return messages.MaxWatermark
	}
	return watermark + drift
}

// countPaused brings the splits that wait now up to date.
func (src *source) countPaused() {
	if src.align == nil {
		return
	}
	paused := 0
	for _, sp := range src.splits {
		if sp.ahead && !sp.finished && !src.stopped {
			paused++
		}
	}
	*src.align.paused = plan.Counter(paused)
}

// furthest is the greatest watermark of a split that has not ended, nil without one.
func (src *source) furthest() *int64 {
	furthest := messages.NoWatermark
	for _, sp := range src.splits {
		if w, _ := src.clock.Input(sp.input); w > furthest && !sp.finished {
			furthest = w
		}
	}
	if furthest == messages.NoWatermark {
		return nil
	}
	return &furthest
}
