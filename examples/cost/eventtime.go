package main

import (
	"time"

	"github.com/weirflow/weir/operators"
)

// foldResults folds what windows give.
func foldResults(o *output, results []operators.WindowResult[int64, int64]) {
	for _, r := range results {
		o.add(r.Key, r.Value+r.End)
	}
}

// windowed is the topology of counts a key in windows.
func windowed(in *input, w operators.Windows) (*operators.Topology, func() (output, time.Duration)) {
	top := operators.NewTopology("counts")
	// A millisecond behind, so that a record exactly the gap after a session still
	// meets it, as in the loop.
	events := operators.From(top, "events", in, operators.BoundedOutOfOrderness[Event](time.Millisecond, nil))
	counts := operators.Aggregate(operators.KeyBy(events, keyOf).Window(w), "count", counter{})
	return finish(top, counts, foldResults)
}

// slidingCount counts the records of every key in the last 10 s, every 2 s. The loop
// keeps a map for each slice of 2 s.
func slidingCount(in *input) *work {
	return &work{
		name: "sliding count 10 s by 2 s a key", input: in,
		topology: func(in *input) (*operators.Topology, func() (output, time.Duration)) {
			return windowed(in, operators.Sliding(10*time.Second, 2*time.Second))
		},
		loop: slidingLoop,
	}
}

func slidingLoop(in *input) (o output) {
	const slide, slices = 2000, 5
	var ring [slices]map[int64]int64
	for i := range ring {
		ring[i] = map[int64]int64{}
	}
	now, total := int64(0), map[int64]int64{} // the slice that is filled, and the sum of all
	fire := func() {
		for key, n := range total {
			o.add(key, n+(now+1)*slide)
		}
		now++
		oldest := ring[now%slices]
		for key, n := range oldest {
			if total[key] -= n; total[key] == 0 {
				delete(total, key)
			}
		}
		clear(oldest)
	}
	for lap := range in.laps {
		for i, e := range in.events {
			for t := in.times[i] + lap*in.span; t >= (now+1)*slide; {
				fire()
			}
			ring[now%slices][e.Key]++
			total[e.Key]++
		}
	}
	for range slices {
		fire()
	}
	return o
}

const sessionGap = 500 // ms

// sessions counts the records of every key in each of its sessions. The loop keeps
// a queue of all records, for the order in which sessions may end.
func sessions(in *input) *work {
	return &work{
		name: "session count a key, 100 k keys", input: in,
		topology: func(in *input) (*operators.Topology, func() (output, time.Duration)) {
			return windowed(in, operators.Session(sessionGap*time.Millisecond))
		},
		loop: sessionLoop,
	}
}

func sessionLoop(in *input) (o output) {
	type session struct{ last, count int64 }
	type touch struct{ key, time int64 }
	open, queue, head := map[int64]*session{}, make([]touch, 0, 1<<20), 0
	expire := func(now int64) {
		for ; head < len(queue) && queue[head].time+sessionGap < now; head++ {
			q := queue[head]
			if s := open[q.key]; s != nil && s.last == q.time {
				o.add(q.key, s.count+s.last+sessionGap)
				delete(open, q.key)
			}
		}
		if head > len(queue)/2 {
			queue, head = append(queue[:0], queue[head:]...), 0
		}
	}
	for lap := range in.laps {
		for i, e := range in.events {
			t := in.times[i] + lap*in.span
			s := open[e.Key]
			if s == nil || s.last+sessionGap < t {
				expire(t)
				s = &session{}
				open[e.Key] = s
			}
			s.count++
			s.last = t
			queue = append(queue, touch{e.Key, t})
		}
	}
	expire(1 << 62)
	return o
}

const joinSpan = 10_000 // ms

// joins pairs the even records of a key with the odd ones of the 10 s behind them.
// The loop keeps a list of either side for each key.
func joins(in *input) *work {
	even := func(e Event) bool { return e.Value&1 == 0 }
	odd := func(e Event) bool { return !even(e) }
	pair := func(l, r Event) Event { return Event{l.Key, l.Value<<20 | r.Value} }
	return &work{
		name: "interval join 10 s, 100 k keys", input: in,
		topology: func(in *input) (*operators.Topology, func() (output, time.Duration)) {
			top := operators.NewTopology("joins")
			events := operators.From(top, "events", in, operators.BoundedOutOfOrderness[Event](time.Millisecond, nil))
			left, right := operators.KeyBy(events.Filter("even", even), keyOf), operators.KeyBy(events.Filter("odd", odd), keyOf)
			return finish(top, operators.IntervalJoin(left, right, "pairs", 0, joinSpan*time.Millisecond, pair), foldEvents)
		},
		loop: joinLoop,
	}
}

func joinLoop(in *input) (o output) {
	type kept struct{ time, value int64 }
	type sides struct{ even, odd []kept }
	keys := map[int64]*sides{}
	prune := func(list []kept, before int64) []kept {
		n := 0
		for n < len(list) && list[n].time < before {
			n++
		}
		return append(list[:0], list[n:]...)
	}
	for lap := range in.laps {
		for i, e := range in.events {
			t := in.times[i] + lap*in.span
			s := keys[e.Key]
			if s == nil {
				s = &sides{}
				keys[e.Key] = s
			}
			s.even, s.odd = prune(s.even, t-joinSpan), prune(s.odd, t)
			if e.Value&1 == 0 {
				for _, r := range s.odd {
					o.add(e.Key, e.Value<<20|r.value)
				}
				s.even = append(s.even, kept{t, e.Value})
				continue
			}
			for _, l := range s.even {
				o.add(e.Key, l.value<<20|e.Value)
			}
			s.odd = append(s.odd, kept{t, e.Value})
		}
	}
	return o
}
