package sim

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/weirflow/weir/operators"
)

// SourceOf is a source of the outside world. It reads a few records at a time
// and waits in between, so that the input takes a while, or never waits, as the
// seed decides. Now and then it fails, as Faults.Panics says.
type SourceOf[T any] struct {
	o    *Outside
	name string
	in   *input[T]
	live bool
}

// input is what a source has to give, the same for all processes.
type input[T any] struct {
	splits [][]T
	taken  []int // of a live source: records that are gone, by split
	atOnce int   // most records of a read
}

// Source makes a bounded source whose splits are what draw gives. draw is called
// once a seed.
func Source[T any](o *Outside, name string, draw func(rng *rand.Rand) (splits [][]T)) *SourceOf[T] {
	in, known := o.inputs[name].(*input[T])
	if !known {
		in = &input[T]{splits: draw(o.Rand("source " + name))}
		in.taken = make([]int, len(in.splits))
		in.atOnce = 1 + o.Rand("pace "+name).IntN(1+in.longest()/20)
		o.inputs[name] = in
	}
	return &SourceOf[T]{o: o, name: name, in: in}
}

// Records gives the splits of a source, for an oracle.
func Records[T any](o *Outside, source string) (splits [][]T) {
	in, known := o.inputs[source].(*input[T])
	if !known {
		panic(fmt.Sprintf("sim.Records: no source %q of this type", source))
	}
	return in.splits
}

// Live makes the source one that cannot replay: what was read once is gone.
func (s *SourceOf[T]) Live() *SourceOf[T] {
	s.live = true
	return s
}

// Info implements operators.Source.
func (s *SourceOf[T]) Info() operators.SourceInfo {
	return operators.SourceInfo{Bounded: true, Replayable: !s.live}
}

// String names the source in a plan.
func (s *SourceOf[T]) String() string { return "simulated source " + s.name }

// Splits are "0", "1" ...
func (s *SourceOf[T]) Splits(context.Context) ([]string, error) {
	ids := make([]string, len(s.in.splits))
	for i := range ids {
		ids[i] = strconv.Itoa(i)
	}
	return ids, s.o.mayFail()
}

// Open opens a split. A position is the number of records before it, as a uvarint.
func (s *SourceOf[T]) Open(_ context.Context, split string, position []byte) (operators.Reader[T], error) {
	if err := s.o.mayFail(); err != nil {
		return nil, err
	}
	i, err := strconv.Atoi(split)
	if err != nil || i < 0 || i >= len(s.in.splits) {
		return nil, fmt.Errorf("source %q has no split %q", s.name, split)
	}
	r := &reader[T]{SourceOf: s, split: i}
	if position != nil {
		next, k := binary.Uvarint(position)
		if k != len(position) || next > uint64(len(s.in.splits[i])) {
			return nil, fmt.Errorf("position %x of split %q of source %q is none of its own", position, split, s.name)
		}
		r.next = int(next)
	}
	return r, nil
}

func (in *input[T]) longest() int {
	n := 1
	for _, s := range in.splits {
		n = max(n, len(s))
	}
	return n
}

// reader reads one split.
type reader[T any] struct {
	*SourceOf[T]
	split, next int
}

func (r *reader[T]) NonBlocking() bool { return r.o.params.hasty }

func (r *reader[T]) Read(_ context.Context, b *operators.Batch[T], most int) error {
	if !r.o.params.hasty {
		r.wait()
		most = min(most, 1+r.o.chance.IntN(r.in.atOnce))
	}
	if err := r.o.mayFail(); err != nil {
		return err
	}
	if !r.o.alive() {
		return errDead
	}
	records := r.in.splits[r.split]
	if r.live {
		r.next = max(r.next, r.in.taken[r.split])
	}
	for ; most > 0 && r.next < len(records); most-- {
		b.Append(records[r.next], operators.NoTime)
		r.next++
	}
	r.in.taken[r.split] = max(r.in.taken[r.split], r.next)
	if r.next == len(records) {
		return io.EOF
	}
	return nil
}

// wait takes as long as makes the longest split last.
func (r *reader[T]) wait() {
	each := r.o.params.lasts / time.Duration(1+r.in.longest()*2/(1+r.in.atOnce))
	if k := r.o.w.current.work; k != nil && each > 0 {
		k.sleep(time.Duration(r.o.chance.Int64N(2 * int64(each))))
	}
}

func (r *reader[T]) Position() []byte { return binary.AppendUvarint(nil, uint64(r.next)) }

func (r *reader[T]) Close() error { return nil }
