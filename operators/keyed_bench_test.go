package operators

import (
	"fmt"
	"testing"
	"time"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence"
)

// sink is an Output that looks at nothing.
type benchSink struct{ records int }

func (s *benchSink) Push(b *plan.Batch) error {
	s.records += b.Len()
	return nil
}

// benchEvent is a small record, 24 bytes.
type benchEvent struct{ Key, Value, Time int64 }

func benchKey(e benchEvent) int64 { return e.Key }

// benchInstance opens an instance outside a rig, whose outputs would allocate.
func benchInstance[T any](t testing.TB, build func(*Stream[T])) (plan.Instance, *plan.Operator) {
	op := rigOperator(t, build)
	inst := op.New()
	sink := &benchSink{}
	rt := &plan.Runtime{
		Operator: op.Name, Parallelism: 1, MaxParallelism: plan.DefaultMaxParallelism,
		Groups:    messages.KeyGroupRange{To: plan.DefaultMaxParallelism},
		Now:       func() int64 { return 0 },
		SetTimer:  func(int64) {},
		Watermark: func() int64 { return messages.NoWatermark },
		Output:    func(string) plan.Output { return sink },
		Register:  func(persistence.State) error { return nil },
		Counter:   func(string) *plan.Counter { return new(plan.Counter) },
	}
	if err := inst.Init(rt); err != nil {
		t.Fatal(err)
	}
	if err := inst.Open(); err != nil {
		t.Fatal(err)
	}
	return inst, op
}

// benchBatches makes n batches of 512 events in time order, rate events a second of event time, keys spread over
// the given number, hashes made, and a mark every 100 ms.
func benchBatches(op *plan.Operator, n, keys, rate int) []*plan.Batch {
	var all []*plan.Batch
	clock := newBoundedClock[benchEvent](nil, 0, 100)
	for b := range n {
		values := make([]benchEvent, 512)
		times := make([]int64, 512)
		for i := range values {
			k := b*512 + i
			times[i] = int64(k) * 1000 / int64(rate)
			values[i] = benchEvent{int64(uint32(k*2654435761)) % int64(keys), 1, times[i]}
		}
		batch := &plan.Batch{Values: &values, Times: times}
		if err := clock.Observe(batch); err != nil {
			panic(err)
		}
		op.Inputs[0].Keyer.Hash(batch)
		all = append(all, batch)
	}
	return all
}

type countEvents struct{}

func (countEvents) CreateAccumulator() int64          { return 0 }
func (countEvents) Add(acc int64, _ benchEvent) int64 { return acc + 1 }
func (countEvents) Merge(a, b int64) int64            { return a + b }
func (countEvents) Result(acc int64) int64            { return acc }

func benchReduce(in *Stream[benchEvent]) {
	Reduce(KeyBy(in, benchKey), "sum", func(a, b benchEvent) benchEvent { a.Value += b.Value; return a })
}

func benchWindow(size time.Duration) func(*Stream[benchEvent]) {
	return func(in *Stream[benchEvent]) {
		Aggregate(KeyBy(in, benchKey).Window(Tumbling(size)), "count", countEvents{})
	}
}

type benchCount struct{ count ValueState[int64] }

func (f *benchCount) ProcessElement(ctx *Context[int64, int64], e benchEvent) error {
	n, _ := f.count.Get()
	f.count.Set(n + e.Value)
	ctx.Emit(n)
	return nil
}

func benchProcess(in *Stream[benchEvent]) {
	Process(KeyBy(in, benchKey), "count", func(s *States[int64]) *benchCount { return &benchCount{NewValueState[int64](s, "count")} })
}

// forever feeds the batches again and again, later in event time each round.
type forever struct {
	batches []*plan.Batch
	at      int
	shift   int64
}

func (f *forever) next() *plan.Batch {
	if f.at == len(f.batches) {
		last := f.batches[len(f.batches)-1].Times
		f.shift = last[len(last)-1]/1000*1000 + 1000
		for _, b := range f.batches {
			for i := range b.Times {
				b.Times[i] += f.shift
			}
			for i := range b.Marks {
				b.Marks[i].Watermark += f.shift
			}
		}
		f.at = 0
	}
	f.at++
	return f.batches[f.at-1]
}

func BenchmarkKeyed(b *testing.B) {
	for _, c := range []struct {
		name  string
		keys  int
		build func(*Stream[benchEvent])
	}{
		{"reduce/keys=1e5", 100_000, benchReduce},
		{"process/keys=1e5", 100_000, benchProcess},
		{"window=1s/keys=1e3", 1000, benchWindow(time.Second)},
		{"window=1s/keys=1e5", 100_000, benchWindow(time.Second)},
		{"window=10s/keys=1e5", 100_000, benchWindow(10 * time.Second)},
	} {
		b.Run(c.name, func(b *testing.B) {
			inst, op := benchInstance(b, c.build)
			in := &forever{batches: benchBatches(op, 4000, c.keys, 100_000)}
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; n += 512 {
				if err := inst.Process(0, in.next()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkKeyedLoop is the same work by hand with Go maps.
func BenchmarkKeyedLoop(b *testing.B) {
	op := rigOperator(b, benchReduce)
	b.Run("reduce/keys=1e5", func(b *testing.B) {
		in := &forever{batches: benchBatches(op, 4000, 100_000, 100_000)}
		sums, total := map[int64]int64{}, int64(0)
		b.ResetTimer()
		for n := 0; n < b.N; n += 512 {
			for _, e := range *valuesOf[benchEvent](in.next()) {
				s := sums[e.Key] + e.Value
				sums[e.Key] = s
				total += s
			}
		}
		_ = fmt.Sprint(total)
	})
	for _, size := range []int64{1000, 10_000} {
		b.Run(fmt.Sprintf("window=%ds/keys=1e5", size/1000), func(b *testing.B) {
			in := &forever{batches: benchBatches(op, 4000, 100_000, 100_000)}
			counts, end, total := map[int64]int64{}, int64(0), int64(0)
			b.ResetTimer()
			for n := 0; n < b.N; n += 512 {
				batch := in.next()
				for i, e := range *valuesOf[benchEvent](batch) {
					if t := batch.Times[i]; t >= end {
						for _, c := range counts {
							total += c
						}
						clear(counts)
						end = t/size*size + size
					}
					counts[e.Key]++
				}
			}
			_ = fmt.Sprint(total)
		})
	}
}

// In steady state nothing is allocated for a record: at most one time in a hundred, where a window begins.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	for _, c := range []struct {
		name  string
		keys  int
		build func(*Stream[benchEvent])
	}{
		{"reduce", 10_000, benchReduce},
		{"process", 10_000, benchProcess},
		{"window", 1000, benchWindow(time.Second)},
	} {
		inst, op := benchInstance(t, c.build)
		in := &forever{batches: benchBatches(op, 400, c.keys, 100_000)}
		run := func() {
			for range 200 {
				if err := inst.Process(0, in.next()); err != nil {
					t.Fatal(err)
				}
			}
		}
		run()
		run()
		if perRecord := testing.AllocsPerRun(3, run) / (200 * 512); perRecord > 0.01 {
			t.Errorf("%s: %.4f allocations a record", c.name, perRecord)
		}
	}
}
