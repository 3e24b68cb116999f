package actors

import (
	"sync/atomic"

	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators/plan"
)

// reader hands a plan.Reader to and fro between the mailbox and the work that
// reads. Whoever finds that the other is done with it closes it.
type reader struct {
	plan.Reader              // nil until the first read opened it
	state       atomic.Int32 // readerIdle, readerBusy, readerAbandoned
	free        []*filled    // empty, the mailbox's
}

// filled is what one read fills.
type filled struct{ batch, side *plan.Batch }

// readDone comes back from the work that read a batch of a split.
type readDone struct {
	split *split
	*filled
	position []byte
	err      error // io.EOF at the end of the split
}

// request starts reads of all open splits that have none under way and are not
// ahead of others.
func (src *source) request() {
	open := 0
	for _, sp := range src.splits {
		if sp.finished {
			continue
		}
		if open++; src.spec.Bounded && open > src.s.o.MaxOpenSplits {
			return
		}
		if sp.reader == nil {
			sp.reader = src.newReader()
		}
		src.pace(sp)
		if r := sp.reader; !sp.ahead && !sp.drained && !sp.reading && !r.ready() && len(r.free) > 0 && r.state.Load() == readerIdle {
			src.read(sp)
		}
	}
}

func (src *source) newReader() *reader {
	r := &reader{}
	for range 2 {
		f := &filled{batch: src.spec.Type.New(src.s.o.BatchRecords)}
		if src.spec.SideType != nil {
			f.side = src.spec.SideType.New(0)
		}
		r.free = append(r.free, f)
	}
	return r
}

// ready tells whether the reader is open and can be read without waiting.
func (r *reader) ready() bool {
	return r != nil && r.state.Load() == readerIdle && r.Reader != nil && r.NonBlocking()
}

func (r *reader) take() *filled {
	f := r.free[len(r.free)-1]
	r.free = r.free[:len(r.free)-1]
	return f
}

// done ends a read, also one that panicked, and closes the reader if the mailbox
// gave it up meanwhile.
func (r *reader) done() {
	if !r.state.CompareAndSwap(readerBusy, readerIdle) && r.Reader != nil {
		r.Close()
	}
}

// nextResult gives the split whose records come next, in turn: one whose read
// came back, or one that can be read without waiting.
func (src *source) nextResult() (*split, *readDone) {
	for k := range src.splits {
		i := (src.turn + k) % len(src.splits)
		sp := src.splits[i]
		if done := src.resultOf(sp); done != nil {
			src.turn = (i + 1) % len(src.splits)
			return sp, done
		}
	}
	return nil, nil
}

func (src *source) resultOf(sp *split) *readDone {
	if sp.ahead {
		return nil
	}
	if len(sp.results) > 0 {
		done := sp.results[0]
		sp.results = append(sp.results[:0], sp.results[1:]...)
		return done
	}
	if sp.finished || sp.drained || sp.reading || !sp.reader.ready() {
		return nil
	}
	done := &sp.now
	*done = readDone{split: sp, filled: sp.reader.take()}
	done.err = sp.reader.Read(src.s.ctx, done.batch, done.side, src.s.o.BatchRecords)
	done.position = sp.reader.Position()
	return done
}

// onRead takes the result of a read that ran off the mailbox.
func (src *source) onRead(done *readDone) error {
	done.split.results = append(done.split.results, done)
	done.split.reading, done.split.drained = false, done.err != nil
	if mutant.On("position-early") {
		done.split.position = done.position
	}
	return src.pull()
}
