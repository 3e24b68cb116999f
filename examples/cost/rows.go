package main

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/weirflow/weir/operators"
)

// A row is a line of the table.
type row struct {
	work   string
	goal   string
	unit   string
	spread spread
	ok     bool // the goal is reached
	detail string
}

// A bench measures everything, pairs times each. Sizes are in laps of the input
// and seconds, so that a smoke run can be short.
type bench struct {
	pairs   int
	laps    int
	seconds int64
	allocs  float64 // a record, the most of all runs with the engine
	rows    []row
}

const lapRecords = 2_000_000

// against compares a work with its loop.
func (b *bench) against(w *work, goal float64) error {
	pairs, err := alternate(w, b.pairs)
	if err != nil {
		return err
	}
	for _, p := range pairs {
		b.allocs = max(b.allocs, p.engine.allocs)
	}
	engine := spreadOf(pairs, func(p pair) float64 { return p.engine.recordsSec / 1e6 })
	loop := spreadOf(pairs, func(p pair) float64 { return p.loop.recordsSec / 1e6 })
	share := spreadOf(pairs, pair.ratio)
	allocs := spreadOf(pairs, func(p pair) float64 { return p.engine.allocs })
	b.rows = append(b.rows, row{
		w.name + ", p=1, share of the loop's speed", fmt.Sprintf("≥ %.1f", goal), "", share, share.median >= goal,
		fmt.Sprintf("engine %.1f M/s, loop %.1f M/s, %.5f allocations a record", engine.median, loop.median, allocs.median),
	})
	return nil
}

func (b *bench) mapFilter() error {
	return b.against(mapFilter(newInput(lapRecords, 100_000, 12*b.laps)), 0.4)
}

func (b *bench) runningSum() error {
	return b.against(runningSum(newInput(lapRecords, 100_000, 5*b.laps)), 0.5)
}

func (b *bench) tumblingCount() error {
	return b.against(tumblingCount(newInput(lapRecords, 10_000, 5*b.laps)), 0.4)
}

func (b *bench) slidingCount() error {
	return b.against(slidingCount(newInput(lapRecords, 10_000, 3*b.laps)), 0.4)
}

func (b *bench) sessions() error {
	return b.against(sessions(newInput(lapRecords, 100_000, 2*b.laps)), 0.4)
}

func (b *bench) joins() error {
	return b.against(joins(newInput(lapRecords, 100_000, max(b.laps/2, 1))), 0.3)
}

// slidingLong compares an hour by a second with tumbling windows of a second: the
// same slices, and as many results while every key has records in each.
func (b *bench) slidingLong() error {
	in := newInput(lapRecords, 1000, 3*b.laps)
	var pairs []pair
	for range b.pairs {
		var p pair
		for _, side := range []struct {
			windows operators.Windows
			run     *run
		}{{operators.Tumbling(time.Second), &p.loop}, {operators.Sliding(time.Hour, time.Second), &p.engine}} {
			top, result := windowed(in, side.windows)
			r, _, err := runEngine(in, top, result, true)
			if err != nil {
				return fmt.Errorf("%v: %w", side.windows, err)
			}
			*side.run = r
		}
		pairs = append(pairs, p)
	}
	cost := spreadOf(pairs, func(p pair) float64 { return 1 / p.ratio() })
	b.rows = append(b.rows, row{"sliding 1 h by 1 s over tumbling 1 s, cost a record", "≤ 1.5", "×", cost, cost.median <= 1.5,
		fmt.Sprintf("%.0f s of event time, 1000 keys", float64(in.laps*in.span)/1000)})
	return nil
}

// exchange compares two subtasks on two cores with one on one. Between source
// and sums is an exchange in both cases.
func (b *bench) exchange() error {
	in := newInput(lapRecords, 100_000, 3*b.laps)
	dealt := in.split(2)
	want := runningSum(in).loop(in)
	var pairs []pair
	for range b.pairs {
		one, err := b.exchangeOn(1, in, want)
		if err != nil {
			return err
		}
		two, err := b.exchangeOn(2, dealt, want)
		if err != nil {
			return err
		}
		pairs = append(pairs, pair{engine: two, loop: one})
	}
	gain := spreadOf(pairs, pair.ratio)
	one := spreadOf(pairs, func(p pair) float64 { return p.loop.recordsSec / 1e6 })
	two := spreadOf(pairs, func(p pair) float64 { return p.engine.recordsSec / 1e6 })
	b.rows = append(b.rows, row{
		"keyed exchange, p=2 on 2 cores over p=1 on 1 core", "≥ 1.8", "×", gain, gain.median >= 1.8,
		fmt.Sprintf("%.1f M/s and %.1f M/s", two.median, one.median),
	})
	return nil
}

// exchangeOn uses as many cores as subtasks.
func (b *bench) exchangeOn(cores int, in *input, want output) (run, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
	top, result := sums(in, true)
	r, got, err := runEngine(in, top, result, true)
	if err == nil && got != want {
		err = fmt.Errorf("keyed exchange: the engine gave %+v, the loop %+v", got, want)
	}
	b.allocs = max(b.allocs, r.allocs)
	return r, err
}

// snapshotTax compares a checkpoint each second with none, over 1 M keys.
func (b *bench) snapshotTax() error {
	in := newInput(lapRecords, 1_000_000, 4*b.laps)
	want := runningSum(in).loop(in)
	var pairs []pair
	var with, without, machine []time.Duration
	for range b.pairs {
		var p pair
		for _, side := range []struct {
			checkpoints bool
			run         *run
			longest     *[]time.Duration
		}{{false, &p.loop, &without}, {true, &p.engine, &with}} {
			top, result := sums(in, false)
			r, got, err := runEngine(in, top, result, side.checkpoints)
			if err != nil {
				return fmt.Errorf("snapshot tax: %w", err)
			}
			if got != want {
				return fmt.Errorf("snapshot tax: the engine gave %+v, the loop %+v", got, want)
			}
			*side.run = r
			*side.longest = append(*side.longest, r.longest)
		}
		pairs = append(pairs, p)
		machine = append(machine, machineStall(time.Duration(p.engine.seconds*float64(time.Second))))
	}
	tax := spreadOf(pairs, func(p pair) float64 { return 100 * (1 - p.ratio()) })
	ms := func(d time.Duration) float64 { return d.Seconds() * 1000 }
	stall, idle, least := spreadOf(with, ms), spreadOf(without, ms), spreadOf(machine, ms)
	b.rows = append(b.rows,
		row{"snapshot tax, 1 M keys, each second against none", "≤ 5 %", "%", tax, tax.median <= 5,
			fmt.Sprintf("runs of %.1f s", spreadOf(pairs, func(p pair) float64 { return p.engine.seconds }).median)},
		row{"longest stall of the subtask during it", "≤ 5 ms", "ms", stall, stall.median <= 5,
			fmt.Sprintf("without checkpoints %.1f ms; a loop that does nothing, on every core at once, %.1f to %.1f ms", idle.median, least.least, least.most)})
	return nil
}

const latencyRate = 200_000

func (b *bench) latency() error {
	type sample struct{ p99, p999 time.Duration }
	var samples []sample
	for range b.pairs {
		p99, p999, err := latencies(latencyRate, b.seconds)
		if err != nil {
			return err
		}
		samples = append(samples, sample{p99, p999})
	}
	ms := func(d time.Duration) float64 { return d.Seconds() * 1000 }
	p99 := spreadOf(samples, func(s sample) float64 { return ms(s.p99) })
	p999 := spreadOf(samples, func(s sample) float64 { return ms(s.p999) })
	b.rows = append(b.rows,
		row{"latency from due time to output at 200 k records/s, p99", "≤ 6 ms", "ms", p99, p99.median <= 6, ""},
		row{"latency from due time to output at 200 k records/s, p99.9", "≤ 15 ms", "ms", p999, p999.median <= 15, ""})
	return nil
}

// allocations reports what the runs before it needed.
func (b *bench) allocations() error {
	if b.allocs == 0 {
		return nil // none of them was asked for
	}
	b.rows = append(b.rows, row{"allocations a record, the most of the above", "≤ 0.01", "", spread{b.allocs, b.allocs, b.allocs}, b.allocs <= 0.01,
		"of the whole process, start and checkpoints included"})
	return nil
}

// spread is a median with its range.
type spread struct{ median, least, most float64 }

func spreadOf[T any](of []T, value func(T) float64) spread {
	var values []float64
	for _, x := range of {
		values = append(values, value(x))
	}
	slices.SortFunc(values, cmp.Compare)
	return spread{values[len(values)/2], values[0], values[len(values)-1]}
}
