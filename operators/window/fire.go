package window

import (
	"slices"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
)

// Pane is an open window and what is collected in it.
type Pane[S any] struct {
	Window
	State S
}

// Open is the ordered set of a tumbling operator's open windows, together with
// the event-time clock that fires and clears them.
//
// Invariants: panes are sorted by Start, and so by End; none is clearable at
// the watermark; panes[:fired] are those whose last ms the watermark reached.
type Open[S any] struct {
	lateness  int64 // ms, not negative
	watermark int64
	panes     []*Pane[S]
	fired     int
	deadline  int64 // the least watermark that fires or clears a pane
	cleared   []*Pane[S]
}

// NewOpen makes an empty set whose clock stands at watermark.
func NewOpen[S any](lateness, watermark int64) *Open[S] {
	return &Open[S]{lateness: lateness, watermark: watermark, deadline: messages.MaxWatermark}
}

// Watermark is where the clock stands.
func (o *Open[S]) Watermark() int64 { return o.watermark }

// Panes gives the open windows in order. The caller must not change the slice.
func (o *Open[S]) Panes() []*Pane[S] { return o.panes }

// TooLate tells whether a window takes no record any more at a watermark.
func (o *Open[S]) TooLate(w Window, watermark int64) bool {
	if mutant.On("late-off-by-one") {
		return w.ClearAt(o.lateness) < watermark
	}
	return w.ClearAt(o.lateness) <= watermark
}

// Find gives the open window w, or nil.
func (o *Open[S]) Find(w Window) *Pane[S] {
	if i, ok := o.search(w); ok {
		return o.panes[i]
	}
	return nil
}

// Add opens window w, which is neither open nor too late at the clock's
// watermark. One that the clock has already passed counts as fired.
func (o *Open[S]) Add(w Window, state S) *Pane[S] {
	i, _ := o.search(w)
	p := &Pane[S]{Window: w, State: state}
	o.panes = slices.Insert(o.panes, i, p)
	if w.MaxTimestamp() <= o.watermark {
		o.fired++
	}
	o.deadline = o.nextDeadline()
	return p
}

// Advance moves the clock and tells whether a window is due or to be cleared:
// the caller then asks Due and Clear, in that order. A watermark that does not
// grow changes nothing.
func (o *Open[S]) Advance(watermark int64) (work bool) {
	if watermark > o.watermark {
		o.watermark = watermark
	}
	return o.watermark >= o.deadline
}

// Due gives the windows that the watermark reached and that have not fired, in
// order, and counts them as fired. The slice is valid until the next call.
func (o *Open[S]) Due() []*Pane[S] {
	from := o.fired
	for o.fired < len(o.panes) && o.panes[o.fired].MaxTimestamp() <= o.watermark {
		o.fired++
	}
	o.deadline = o.nextDeadline()
	return o.panes[from:o.fired]
}

// Clear closes the windows whose lateness is over and gives them, in order. The
// slice is valid until the next Clear.
func (o *Open[S]) Clear() []*Pane[S] {
	n := 0
	for n < o.fired && o.TooLate(o.panes[n].Window, o.watermark) {
		n++
	}
	o.cleared = append(o.cleared[:0], o.panes[:n]...)
	o.panes = slices.Delete(o.panes, 0, n)
	o.fired -= n
	o.deadline = o.nextDeadline()
	return o.cleared
}

func (o *Open[S]) search(w Window) (int, bool) {
	return slices.BinarySearchFunc(o.panes, w.Start, func(p *Pane[S], start int64) int {
		switch {
		case p.Start < start:
			return -1
		case p.Start > start:
			return 1
		}
		return 0
	})
}

// nextDeadline is the earlier of clearing the first pane and firing the first
// that has not fired. With none open it is never.
func (o *Open[S]) nextDeadline() int64 {
	next := messages.MaxWatermark
	if len(o.panes) > 0 {
		next = o.panes[0].ClearAt(o.lateness)
	}
	if o.fired < len(o.panes) {
		next = min(next, o.panes[o.fired].MaxTimestamp())
	}
	return next
}
