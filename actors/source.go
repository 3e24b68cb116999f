package actors

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/weirflow/weir/actors/watermark"
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// source reads the splits of one source operator in one subtask.
//
// Invariants: a split's position is that of the record after the last one that
// was pushed, so what a snapshot stores and what the barrier separates agree;
// at most one read of a split is under way; a split has two batches, so at most
// two results wait; a split's clock has seen exactly the records that were pushed.
type source struct {
	s       *subtask
	n       *node
	spec    *plan.SourceSpec
	splits  []*split
	clock   *watermark.Merge
	align   *alignment // nil unless the source is aligned with others
	turn    int        // the split that is looked at first
	ticking bool       // a pullTick is on its way
	stopped bool       // StopSources came: read no more
	drain   bool       // and end with the maximum watermark
	ended   bool       // the end of input was announced

	stood   []stood               // at the barriers of checkpoints that are not complete
	telling messages.CheckpointID // the outside is being told of this one; 0: of none
	due     messages.CheckpointID // it is to be told of this one next; 0: of none
}

// split is one file or partition.
type split struct {
	id       string
	input    int // in the source's clock
	position []byte
	clock    plan.SplitClock
	reader   *reader
	results  []*readDone // came in and wait for their turn
	waiting  int64       // since when its reads wait for records, processing time in ms; 0: they do not
	lagging  bool        // as restored
	reading  bool        // a read is under way, or its result is
	ahead    bool        // of its group: it is not read, and its results wait
	drained  bool        // the last read gave an error or the end
	now      readDone    // scratch: of a read that does not wait
	finished bool
}

const (
	readerIdle int32 = iota
	readerBusy
	readerAbandoned
)

type pullTick struct{}     // go on reading
type idleCheck struct{}    // look for splits that fell silent
type periodicTick struct{} // ask periodic watermark generators

func newSource(s *subtask, n *node) *source {
	return &source{s: s, n: n, spec: n.op.Source, clock: watermark.NewMerge(0), align: newAlignment(n)}
}

// assign adds splits, where a checkpoint left them or from their beginning.
// Splits that are here already are left alone, so it may be repeated.
func (src *source) assign(states []*messages.SplitState) error {
	for _, st := range states {
		if src.has(st.GetId()) {
			continue
		}
		sp := &split{id: st.GetId(), position: st.GetPosition(), finished: st.GetFinished(), clock: src.spec.Source.NewClock(), lagging: st.GetLagging()}
		if len(sp.position) == 0 {
			sp.position = nil
		}
		if st.GetGenerator() != nil {
			if err := sp.clock.Restore(st.GetGenerator()); err != nil {
				return fmt.Errorf("watermark generator of split %q: %w", sp.id, err)
			}
		}
		sp.input = src.clock.Add(watermarkOf(st), st.GetIdle())
		src.splits = append(src.splits, sp)
	}
	return nil
}

func (src *source) has(id string) bool {
	for _, sp := range src.splits {
		if sp.id == id {
			return true
		}
	}
	return false
}

// start begins to read, and sets the timers that the strategy asks for. With
// another parallelism the clock may have been restored behind all its splits:
// then it grew since.
func (src *source) start(grew bool) error {
	if grew {
		if err := src.pushMark(); err != nil {
			return err
		}
	}
	if src.spec.IdleAfter > 0 {
		src.s.after(src.spec.IdleAfter, idleCheck{})
	}
	if src.spec.PeriodicEvery > 0 {
		src.s.after(src.spec.PeriodicEvery, periodicTick{})
	}
	if err := src.pull(); err != nil {
		return err
	}
	src.startAlignment()
	return nil
}

// pull is the source's loop: it asks for what is not being read, works off one
// batch, and comes back by a message to itself, so that barriers and orders get
// their turn.
func (src *source) pull() error {
	if src.ended || !src.s.running {
		return nil
	}
	if !src.stopped {
		src.request()
		src.maybeTellLeast()
	}
	if !src.s.ready() {
		return nil // the credit that comes back, or the sink's retry, pulls again
	}
	if src.stopped {
		return src.end(src.drain)
	}
	sp, done := src.nextResult()
	if done == nil {
		return src.maybeEnd()
	}
	if err := src.consume(sp, done); err != nil {
		return err
	}
	if !src.ticking {
		src.ticking = true
		src.s.toSelf(pullTick{})
	}
	return nil
}

// read opens the split if need be and reads a batch of it, off the mailbox.
func (src *source) read(sp *split) {
	r, id, position, full := sp.reader, sp.id, sp.position, src.s.o.BatchRecords
	done := &readDone{split: sp, filled: r.take()}
	sp.reading = true // until the result is here: the state says less, and earlier
	if sp.waiting == 0 {
		sp.waiting = src.s.now()
	}
	r.state.Store(readerBusy)
	src.s.work("read "+id, func(ctx context.Context) any {
		defer r.done()
		if r.Reader == nil {
			r.Reader, done.err = src.spec.Source.OpenSplit(ctx, id, position)
		}
		if done.err == nil && !r.NonBlocking() {
			done.err = r.Read(ctx, done.batch, done.side, full)
		}
		if r.Reader != nil {
			done.position = r.Position()
		}
		return done
	})
}

// consume pushes what was read into the chain, and only then moves the position.
func (src *source) consume(sp *split, done *readDone) error {
	if done.err != nil && !errors.Is(done.err, io.EOF) {
		return src.n.fail(fmt.Errorf("split %q: %w", sp.id, done.err))
	}
	if done.batch.Len() > 0 {
		if err := src.pushRead(sp, done.batch); err != nil {
			return err
		}
	}
	if done.side != nil && done.side.Len() > 0 {
		if err := src.n.outputs.push(src.spec.SideTag, done.side); err != nil {
			return err
		}
		src.spec.SideType.Reset(done.side)
	}
	if done.batch.Len() > 0 {
		src.s.o.Env.Step("source.read")
	}
	sp.position = done.position
	src.spec.Type.Reset(done.batch)
	sp.reader.free = append(sp.reader.free, done.filled)
	if done.err != nil {
		return src.finish(sp)
	}
	return nil
}

func (src *source) pushRead(sp *split, b *plan.Batch) error {
	if sp.waiting = 0; sp.reading { // the next read was begun before this one's records came out
		sp.waiting = src.s.now()
	}
	if _, idle := src.clock.Input(sp.input); idle {
		if err := src.setIdle(sp, false); err != nil {
			return err
		}
	}
	if err := src.n.guard(func() error { return sp.observe(b, src.s.now()) }); err != nil {
		return err
	}
	b.Marks = mergeMarks(src.clock, sp.input, b.Marks)
	return src.push(b)
}

func (src *source) push(b *plan.Batch) error {
	src.n.in += uint64(b.Len())
	src.s.busy()
	side := len(b.Marks) > 0 && src.spec.SideTag != ""
	last := int64(0)
	if side {
		last = b.Marks[len(b.Marks)-1].Watermark
	}
	if err := src.n.guard(func() error { return src.n.outputs.push("", b) }); err != nil || !side {
		return err
	}
	return src.n.outputs.push(src.spec.SideTag, src.spec.SideType.New(0).WithMark(last))
}

// finish ends a split. In a bounded source it holds the watermark back no
// longer; in an unbounded one it is silent from now on.
func (src *source) finish(sp *split) error {
	sp.finished = true
	sp.close()
	if !src.spec.Bounded {
		return src.setIdle(sp, true)
	}
	if src.clock.Advance(sp.input, messages.MaxWatermark) {
		if err := src.pushMark(); err != nil {
			return err
		}
	}
	src.s.tellIdle() // perhaps only silent splits are left
	return src.maybeEnd()
}

// maybeEnd announces the end of input once every split of a bounded source is done.
func (src *source) maybeEnd() error {
	if src.ended || src.stopped || !src.spec.Bounded {
		return nil
	}
	for _, sp := range src.splits {
		if !sp.finished {
			return nil
		}
	}
	return src.end(true)
}

// end announces the end of input; with drain the maximum watermark goes before it.
func (src *source) end(drain bool) error {
	src.ended = true
	src.maybeTellLeast()
	if drain && src.clock.Current() < messages.MaxWatermark {
		src.clock.RestoreCurrent(messages.MaxWatermark)
		if err := src.pushMark(); err != nil {
			return err
		}
	}
	src.s.ending = true
	return src.s.settle()
}

// stop ends reading where it is. The end goes out when the outputs take it.
func (src *source) stop(drain bool) error {
	if src.stopped || src.ended {
		return nil
	}
	src.stopped, src.drain = true, drain
	for _, sp := range src.splits {
		sp.close()
	}
	return src.pull()
}

// snapshot gives the place in every split.
func (src *source) snapshot() ([]*messages.SplitState, error) {
	var states []*messages.SplitState
	for _, sp := range src.splits {
		generator, err := sp.clock.Snapshot()
		if err != nil {
			return nil, src.n.fail(fmt.Errorf("watermark generator of split %q: %w", sp.id, err))
		}
		w, idle := src.clock.Input(sp.input)
		states = append(states, &messages.SplitState{
			Id: sp.id, Position: sp.position, Generator: generator, Watermark: w, Idle: idle, Finished: sp.finished, Lagging: src.clock.Lagging(sp.input),
		})
	}
	return states, nil
}

// close gives the reader up; a read under way closes it when it is done.
func (sp *split) close() {
	r := sp.reader
	if r == nil || r.state.Swap(readerAbandoned) != readerIdle || r.Reader == nil {
		return
	}
	r.Close()
}

func (src *source) close() {
	for _, sp := range src.splits {
		sp.close()
	}
}
