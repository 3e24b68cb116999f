package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"

	"github.com/weirflow/weir/operators"
)

// Event is what the works are about.
type Event struct{ Key, Value int64 }

// input is records that are built before any clock runs. A run goes through
// them laps times, each lap span ms of event time behind the one before. Engine
// and loop read the same slices.
type input struct {
	part
	parts []part // what the readers share; one, or a few that have no key in common
	span  int64
	laps  int64
}

type part struct {
	events []Event
	times  []int64 // ms, of the first lap
}

// eventsPerMs is the rate of event time: 100 k records a second.
const eventsPerMs = 100

// newInput builds records with keys drawn evenly from 0..keys-1.
func newInput(records, keys, laps int) *input {
	rng := rand.New(rand.NewPCG(1, 2))
	in := &input{span: int64(records) / eventsPerMs, laps: int64(laps)}
	for i := range records {
		in.add(Event{Key: rng.Int64N(int64(keys)), Value: rng.Int64N(1000)}, int64(i)/eventsPerMs)
	}
	in.parts = []part{in.part}
	return in
}

func (p *part) add(e Event, time int64) {
	p.events, p.times = append(p.events, e), append(p.times, time)
}

// split deals the records out to n readers by their key, so that the records of
// a key keep their order whichever reader is faster.
func (in *input) split(n int) *input {
	if n == len(in.parts) {
		return in
	}
	dealt := *in
	dealt.parts = make([]part, n)
	for i, e := range in.events {
		dealt.parts[int(e.Key)%n].add(e, in.times[i])
	}
	return &dealt
}

func (in *input) total() int64 { return int64(len(in.events)) * in.laps }

// Splits, Open and Info make the input a source.
func (in *input) Splits(context.Context) ([]string, error) {
	var ids []string
	for i := range in.parts {
		ids = append(ids, strconv.Itoa(i))
	}
	return ids, nil
}

func (in *input) Open(_ context.Context, split string, position []byte) (operators.Reader[Event], error) {
	i, err := strconv.Atoi(split)
	if err != nil {
		return nil, fmt.Errorf("split %q: %w", split, err)
	}
	r := &inputReader{part: in.parts[i], span: in.span, end: int64(len(in.parts[i].events)) * in.laps}
	if position != nil {
		r.next = int64(binary.BigEndian.Uint64(position))
	}
	return r, nil
}

func (in *input) Info() operators.SourceInfo {
	return operators.SourceInfo{Bounded: true, Replayable: true}
}

type inputReader struct {
	part
	span, next, end int64
}

func (r *inputReader) NonBlocking() bool { return true }

func (r *inputReader) Read(_ context.Context, b *operators.Batch[Event], most int) error {
	size := int64(len(r.events))
	lap, from := r.next/size, r.next%size
	to := min(from+int64(most), size, from+r.end-r.next)
	before := len(b.Times)
	b.Values = append(b.Values, r.events[from:to]...)
	b.Times = append(b.Times, r.times[from:to]...)
	for i := range b.Times[before:] {
		b.Times[before+i] += lap * r.span
	}
	if r.next += to - from; r.next == r.end {
		return io.EOF
	}
	return nil
}

func (r *inputReader) Position() []byte { return binary.BigEndian.AppendUint64(nil, uint64(r.next)) }

func (r *inputReader) Close() error { return nil }
