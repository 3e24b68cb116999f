package main

import (
	"fmt"
	"log"
	"runtime"
	"time"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/operatortest"
)

// timerAfter is how long a timer waits: at 100 k records a second of event time a
// million of them are pending.
const timerAfter = 10_000 // ms

// timing registers a timer for every record and emits its key when it is due.
type timing struct{}

func (*timing) ProcessElement(c *operators.Context[int64, Event], _ Event) error {
	c.RegisterEventTimer(c.Time() + timerAfter)
	return nil
}

func (*timing) OnTimer(c *operators.Context[int64, Event], at int64, _ operators.Domain) error {
	c.Emit(Event{c.Key(), at})
	return nil
}

// timers has a million timers pending. The loop keeps them in a queue by time, which
// it can because all wait equally long, and in a set, for a key and time are one.
func timers(in *input) *work {
	return &work{
		name: "keyed process, a timer a record", input: in,
		topology: func(in *input) (*operators.Topology, func() (output, time.Duration)) {
			top := operators.NewTopology("timers")
			events := operators.From(top, "events", in, operators.Monotonous[Event](nil))
			fired := operators.Process(operators.KeyBy(events, keyOf), "timers", func(*operators.States[int64]) *timing { return &timing{} })
			return finish(top, fired, foldEvents)
		},
		loop: timerLoop,
	}
}

func timerLoop(in *input) (o output) {
	pending, queue, head := map[Event]struct{}{}, make([]Event, 0, 1<<21), 0
	fire := func(now int64) {
		for ; head < len(queue) && queue[head].Value <= now; head++ {
			o.add(queue[head].Key, queue[head].Value)
			delete(pending, queue[head])
		}
		if head > len(queue)/2 {
			queue, head = append(queue[:0], queue[head:]...), 0
		}
	}
	for lap := range in.laps {
		for i, e := range in.events {
			t := in.times[i] + lap*in.span
			if i == 0 || in.times[i] != in.times[i-1] {
				fire(t - 1)
			}
			timer := Event{e.Key, t + timerAfter}
			if _, set := pending[timer]; !set {
				pending[timer] = struct{}{}
				queue = append(queue, timer)
			}
		}
	}
	fire(1 << 62)
	return o
}

// timers reports records a second of one core, and the memory that a timer takes.
func (b *bench) timers() error {
	w := timers(newInput(lapRecords, 100_000, b.laps))
	pairs, err := alternate(w, b.pairs)
	if err != nil {
		return err
	}
	speed := spreadOf(pairs, func(p pair) float64 { return p.engine.recordsSec / 1e6 })
	bytes := timerBytes(1_000_000)
	b.rows = append(b.rows,
		row{w.name + ", 1 M pending, p=1", "≥ 1.5 M/s", "M/s", speed, speed.median >= 1.5,
			fmt.Sprintf("%.2f of a loop with a queue and a set", spreadOf(pairs, pair.ratio).median)},
		row{"memory of a timer, key of 8 bytes", "≤ 64 B", "B", spread{bytes, bytes, bytes}, bytes <= 64, "of 1 M pending"})
	return nil
}

// timerBytes is what n timers of different keys and times take.
func timerBytes(n int64) float64 {
	h := operatortest.Keyed(failing{}, func(in *operators.Stream[Event]) *operators.Stream[Event] {
		return operators.Process(operators.KeyBy(in, keyOf), "timers", func(*operators.States[int64]) *timing { return &timing{} })
	})
	before := heap()
	for i := range n {
		h.Process(Event{Key: i}, i/eventsPerMs)
	}
	took := heap() - before
	runtime.KeepAlive(h)
	return took / float64(n)
}

// failing ends the program where a test would fail.
type failing struct{}

func (failing) Helper() {}

func (failing) Fatalf(format string, args ...any) { log.Fatalf(format, args...) }

func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
