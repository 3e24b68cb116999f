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
	events []Event
	times  []int64 // ms, of the first lap
	span   int64
	laps   int64
	splits int64
}

// eventsPerMs is the rate of event time: 100 k records a second.
const eventsPerMs = 100

// newInput builds records with keys drawn evenly from 0..keys-1.
func newInput(records, keys, laps int) *input {
	rng := rand.New(rand.NewPCG(1, 2))
	in := &input{events: make([]Event, records), times: make([]int64, records), span: int64(records) / eventsPerMs, laps: int64(laps), splits: 1}
	for i := range in.events {
		in.events[i] = Event{Key: rng.Int64N(int64(keys)), Value: rng.Int64N(1000)}
		in.times[i] = int64(i) / eventsPerMs
	}
	return in
}

// split gives the same input to n readers, a share each.
func (in *input) split(n int) *input {
	shared := *in
	shared.splits = int64(n)
	return &shared
}

func (in *input) total() int64 { return int64(len(in.events)) * in.laps }

// Splits, Open and Info make the input a source.
func (in *input) Splits(context.Context) ([]string, error) {
	var ids []string
	for i := range in.splits {
		ids = append(ids, strconv.FormatInt(i, 10))
	}
	return ids, nil
}

func (in *input) Open(_ context.Context, split string, position []byte) (operators.Reader[Event], error) {
	i, err := strconv.ParseInt(split, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("split %q: %w", split, err)
	}
	r := &inputReader{in: in, next: in.total() * i / in.splits, end: in.total() * (i + 1) / in.splits}
	if position != nil {
		r.next = int64(binary.BigEndian.Uint64(position))
	}
	return r, nil
}

func (in *input) Info() operators.SourceInfo {
	return operators.SourceInfo{Bounded: true, Replayable: true}
}

type inputReader struct {
	in        *input
	next, end int64
}

func (r *inputReader) NonBlocking() bool { return true }

func (r *inputReader) Read(_ context.Context, b *operators.Batch[Event], most int) error {
	size := int64(len(r.in.events))
	lap, from := r.next/size, r.next%size
	to := min(from+int64(most), size, from+r.end-r.next)
	before := len(b.Times)
	b.Values = append(b.Values, r.in.events[from:to]...)
	b.Times = append(b.Times, r.in.times[from:to]...)
	for i := range b.Times[before:] {
		b.Times[before+i] += lap * r.in.span
	}
	if r.next += to - from; r.next == r.end {
		return io.EOF
	}
	return nil
}

func (r *inputReader) Position() []byte { return binary.BigEndian.AppendUint64(nil, uint64(r.next)) }

func (r *inputReader) Close() error { return nil }
