package main

import (
	"time"

	"github.com/weirflow/weir/operators"
)

// A work is done by the engine and by a hand-written loop, over one input.
type work struct {
	name     string
	input    *input
	topology func(in *input) (*operators.Topology, func() (output, time.Duration))
	loop     func(in *input) output
}

// mapFilter changes every record and keeps half of them.
func mapFilter(in *input) *work {
	change := func(e Event) Event { return Event{e.Key, 3*e.Value + e.Key} }
	keep := func(e Event) bool { return e.Value&1 == 0 }
	return &work{
		name: "map + filter", input: in,
		topology: func(in *input) (*operators.Topology, func() (output, time.Duration)) {
			top := operators.NewTopology("map-filter")
			events := operators.From(top, "events", in, operators.NoWatermarks[Event]())
			return finish(top, operators.Map(events, "change", change).Filter("keep", keep), foldEvents)
		},
		loop: func(in *input) (o output) {
			for range in.laps {
				for _, e := range in.events {
					if e = change(e); keep(e) {
						o.add(e.Key, e.Value)
					}
				}
			}
			return o
		},
	}
}

// runningSum emits, for every record, the sum of its key so far.
func runningSum(in *input) *work {
	return &work{
		name: "running sum a key", input: in,
		topology: func(in *input) (*operators.Topology, func() (output, time.Duration)) {
			return sums(in, false)
		},
		loop: func(in *input) (o output) {
			sum := map[int64]int64{}
			for range in.laps {
				for _, e := range in.events {
					s := sum[e.Key] + e.Value
					sum[e.Key] = s
					o.add(e.Key, s)
				}
			}
			return o
		},
	}
}

// sums is the topology of runningSum, a subtask for every part of the input,
// and with an exchange in front of the sums when it is asked for.
func sums(in *input, exchange bool) (*operators.Topology, func() (output, time.Duration)) {
	top := operators.NewTopology("sums").Parallelism(len(in.parts))
	events := operators.From(top, "events", in, operators.NoWatermarks[Event]())
	sum := operators.Reduce(operators.KeyBy(events, keyOf), "sum", addUp)
	if exchange {
		sum.Unchained()
	}
	return finish(top, sum, foldEvents)
}

func keyOf(e Event) int64 { return e.Key }

func addUp(a, b Event) Event { return Event{b.Key, a.Value + b.Value} }

// tumblingCount counts the records of every key in every second of event time.
func tumblingCount(in *input) *work {
	return &work{
		name: "tumbling count a key", input: in,
		topology: func(in *input) (*operators.Topology, func() (output, time.Duration)) {
			return windowed(in, operators.Tumbling(time.Second))
		},
		loop: countLoop,
	}
}

type counter struct{}

func (counter) CreateAccumulator() int64   { return 0 }
func (counter) Add(n int64, _ Event) int64 { return n + 1 }
func (counter) Merge(a, b int64) int64     { return a + b }
func (counter) Result(n int64) int64       { return n }

func countLoop(in *input) (o output) {
	counts, end := map[int64]int64{}, int64(1000)
	fire := func() {
		for key, n := range counts {
			o.add(key, n+end)
		}
		clear(counts)
	}
	for lap := range in.laps {
		for i, e := range in.events {
			if t := in.times[i] + lap*in.span; t >= end {
				fire()
				end = t - t%1000 + 1000
			}
			counts[e.Key]++
		}
	}
	fire()
	return o
}

// finish puts the sink at a stream and says how to read it afterwards.
func finish[T any](top *operators.Topology, s *operators.Stream[T], fold func(*output, []T)) (*operators.Topology, func() (output, time.Duration)) {
	sink := &folding[T]{fold: fold}
	s.To("out", sink)
	return top, func() (output, time.Duration) { return sink.out, sink.longest }
}
