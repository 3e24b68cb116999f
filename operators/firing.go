package operators

import (
	"cmp"
	"math"
	"slices"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators/plan"
)

// firing is the place at which an operator is that fires in steps: which panes
// are due, which key groups have fired the first of them, and which watermarks wait
// behind the results. It is the types-free half of a plan.Stepper, which keeps the
// panes themselves.
//
// Invariants:
//
//   - The clock is at the last watermark that came, from the moment it came: what
//     is late does not depend on how far the results are.
//   - Panes fire in the order of their ends, a pane in the order of its key groups,
//     a key group at once. So of each group it is enough to know up to which end it
//     has fired. A pane that becomes due before others, as after a restore of groups
//     that stood at different places, goes before them.
//   - A watermark leaves when all panes that it reached have fired, and before one
//     that only a later watermark reached: what leaves, and in which order, does
//     not depend on the steps.
//   - All that is due fires before a record of a window that has ended, which fires
//     that window again behind the watermarks that wait. Any other record may come
//     in between.
//   - Once maxMarks watermarks wait, one more takes the place of the last, unless
//     windows became due between the two.
//
// In a snapshot, as part of the state of the clocks, are for each group the end up
// to which it has fired, the last watermark that left, and those that wait. After a
// restore, at any parallelism, what groups had not fired is due, each as far as its
// own clock.
type firing struct {
	clocks *groupClocks
	size   int // results that make a step

	ends  []int64           // last ms of the panes that are due, in the order in which they fire
	next  messages.KeyGroup // the groups before it have passed the first of these
	fired []int64           // by key group less groups.From: up to where it has fired; empty if nothing is pending
	all   int64             // every group has fired what ended until then

	marks []int64 // watermarks that wait, ascending
	left  int64   // the last one that left before them; MaxWatermark before the first begin

	restored bool // what is pending was pending in the snapshot
}

func (f *firing) init(clocks *groupClocks, rt *plan.Runtime) {
	*f = firing{clocks: clocks, size: cmp.Or(rt.StepResults, math.MaxInt), next: rt.Groups.From, all: messages.NoWatermark, left: messages.MaxWatermark}
	clocks.firing = f
}

// maxMarks bounds the watermarks that wait in a row, without windows between them.
const maxMarks = 256

// pending tells whether something that is due has not left.
func (f *firing) pending() bool { return len(f.marks)+len(f.ends) > 0 }

// output is the watermark of the output, that of the inputs if nothing is pending.
func (f *firing) output(input int64) int64 {
	if !f.restored && !f.pending() {
		return input
	}
	return min(input, f.left)
}

// begin takes a watermark that has just moved the clock from where it was; due tells
// whether windows lie between the two.
func (f *firing) begin(watermark, was int64, due bool) {
	if !f.pending() {
		f.all, f.left = was, was
		if f.fired = append(f.fired, f.clocks.floors...); len(f.fired) == 0 {
			f.fired = f.everywhere(messages.NoWatermark)
		}
	}
	if n := len(f.marks); n >= maxMarks && !due {
		f.marks = f.marks[:n-1]
	}
	f.marks = append(f.marks, watermark)
}

// insert puts the end of a pane into what is due, and tells its place and whether it
// is new there. Groups that have passed the first pane may owe one that comes to its
// place, and that pane itself, if their clock has reached it only now.
func (f *firing) insert(end int64) (i int, fresh bool) {
	i, found := slices.BinarySearch(f.ends, end)
	if mutant.On("due-behind-others") {
		i, found = len(f.ends), false
	}
	if i == 0 {
		f.next = f.clocks.groups.From
	}
	if !found {
		f.ends = slices.Insert(f.ends, i, end)
	}
	return i, !found
}

// everywhere gives one value for each key group.
func (f *firing) everywhere(v int64) []int64 {
	return slices.Repeat([]int64{v}, int(f.clocks.groups.To-f.clocks.groups.From))
}

// take gives the watermarks that leave before results of panes that end at end.
func (f *firing) take(end int64) []int64 {
	n := 0
	for n < len(f.marks) && (f.marks[n] < end || mutant.On("mark-before-steps")) {
		n++
	}
	taken := f.marks[:n]
	f.marks = f.marks[n:]
	if n > 0 {
		f.left = taken[n-1]
	}
	return taken
}

// over ends the firing, and gives the watermarks that are left.
func (f *firing) over() []int64 {
	marks := f.marks
	f.marks, f.fired, f.all, f.restored = f.marks[:0], f.fired[:0], messages.NoWatermark, false
	f.clocks.forgetFloors()
	return marks
}

// group gives the key group whose turn it is, and whether it owes the first pane.
func (f *firing) group() (g messages.KeyGroup, owes bool) {
	return f.next, f.owes(f.next, f.ends[0])
}

// passGroup goes on to the next group, and tells whether that was the pane's last.
func (f *firing) passGroup() (last bool) {
	f.settle(f.next)
	if f.next++; f.next < f.clocks.groups.To {
		return false
	}
	f.ends, f.next = f.ends[1:], f.clocks.groups.From
	return true
}

// passPane goes on to the next pane.
func (f *firing) passPane() {
	if !f.mixed(f.ends[0]) {
		f.all = f.ends[0]
		f.ends = f.ends[1:]
		return
	}
	for !f.passGroup() {
	}
}

// settle notes that a group owes the first pane no more.
func (f *firing) settle(g messages.KeyGroup) {
	if f.owes(g, f.ends[0]) {
		f.fired[g-f.clocks.groups.From] = f.ends[0]
	}
}

// begun tells whether some groups have passed the first pane.
func (f *firing) begun() bool { return f.next > f.clocks.groups.From }

// mixed tells whether the groups of a pane have to be asked, one by one, if they owe it.
func (f *firing) mixed(end int64) bool { return f.restored || end <= f.clocks.highest }

// owes tells whether a group has still to fire a pane that ends at end.
func (f *firing) owes(g messages.KeyGroup, end int64) bool {
	return f.upTo(g) < end && end <= f.clocks.of(g) || mutant.On("fires-again")
}

// upTo is the end up to which a group has fired. If nothing is pending, the floors tell.
func (f *firing) upTo(g messages.KeyGroup) int64 {
	fired := f.fired
	if len(fired) == 0 {
		fired = f.clocks.floors
	}
	if fired == nil {
		return f.all
	}
	return max(f.all, fired[g-f.clocks.groups.From])
}

// freeze gives what a snapshot has besides the clocks: the end up to which each group
// has fired, and the watermarks, the one that left first. Nothing if nothing is pending.
func (f *firing) freeze() (fired, marks []int64) {
	if f == nil || !f.pending() {
		return nil, nil
	}
	for g := f.clocks.groups.From; g < f.clocks.groups.To; g++ {
		if mutant.On("half-fired-again") {
			fired = append(fired, f.all)
			continue
		}
		fired = append(fired, f.upTo(g))
	}
	if marks = []int64{f.left}; mutant.On("waiting-mark-lost") {
		return fired, marks
	}
	return fired, append(marks, f.marks...)
}

// read restores what freeze gave, for one group. The subtasks that wrote it need
// not have stood at the same place: the output begins behind the least of them.
func (f *firing) read(g messages.KeyGroup, fired, left int64, marks []int64) {
	if !f.restored {
		f.restored, f.fired = true, f.everywhere(messages.MaxWatermark)
	}
	f.fired[g-f.clocks.groups.From] = fired
	f.left = min(f.left, left)
	f.marks = append(f.marks, marks...)
}

// start runs once the clocks are restored; inputs gives the watermark of the inputs.
func (f *firing) start(inputs func() int64) {
	if !f.restored || mutant.On("unfired-forgotten") {
		f.over()
		return
	}
	for i := range f.fired {
		f.fired[i] = min(f.fired[i], f.clocks.of(f.clocks.groups.From+messages.KeyGroup(i)))
	}
	watermark := inputs()
	if !mutant.On("left-too-far") {
		f.left = min(f.left, watermark) // a group behind it had nothing pending and did not say
	}
	f.marks = append(f.marks, watermark)
	slices.Sort(f.marks)
	f.marks = slices.Compact(f.marks)
	f.marks = slices.DeleteFunc(f.marks, func(m int64) bool { return m <= f.left || m > watermark })
}

// unfired tells whether some group owes a pane since before the restore.
func (f *firing) unfired(end int64) bool {
	for g := f.clocks.groups.From; f.restored && g < f.clocks.groups.To; g++ {
		if f.owes(g, end) {
			return true
		}
	}
	return false
}
