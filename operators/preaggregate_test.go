package operators_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/operatortest"
)

// tick is the record of these tests, with its time. They come in bursts, so that there are batches of several.
type (
	tick  struct{ Key, N, At int64 }
	burst struct {
		Way   int64 // decides the subtask that sends the ticks
		Ticks []tick
	}
	tickSums   = operators.WindowResult[int64, string]
	allSums    = operators.WindowResult[uint8, string]
	tickWindow = operators.WindowedStream[int64, tick]
)

func tickKey(t tick) int64 { return t.Key }

// spread takes bursts apart.
type spread struct{}

func newSpread(*operators.States[int64]) *spread { return &spread{} }

func (*spread) ProcessElement(ctx *operators.Context[int64, tick], b burst) error {
	for _, t := range b.Ticks {
		ctx.EmitAt(t, t.At)
	}
	return nil
}

func ticksOf(in *operators.Stream[burst]) *operators.Stream[tick] {
	return operators.Process(operators.KeyBy(in, func(b burst) int64 { return b.Way }), "ticks", newSpread)
}

// listing is an Aggregator that forgets nothing and changes its accumulator in place.
type listing struct{}

func (listing) CreateAccumulator() []int64      { return nil }
func (listing) Add(acc []int64, t tick) []int64 { return append(acc, t.N) }
func (listing) Merge(a, b []int64) []int64      { return append(a, b...) }
func (listing) Result(acc []int64) string       { return fmt.Sprint(slices.Sorted(slices.Values(acc))) }

func listed(w *tickWindow) *operators.Stream[tickSums] {
	return operators.Aggregate(w, "sum", operators.Aggregator[tick, []int64, string](listing{}))
}

// windowed builds windows over ticks, folded in two stages or in one.
func windowed(size, lateness int64, pre bool) func(in *operators.Stream[burst]) *operators.Stream[tickSums] {
	return func(in *operators.Stream[burst]) *operators.Stream[tickSums] {
		w := operators.KeyBy(ticksOf(in), tickKey).Window(operators.Tumbling(ms(size))).AllowedLateness(ms(lateness))
		if pre {
			w = w.PreAggregate()
		}
		return listed(w)
	}
}

// drawBurst gives ticks of a few keys around a time.
func drawBurst(t *rapid.T, clock int64, id *int64) burst {
	b := burst{Way: rapid.Int64Range(0, 5).Draw(t, "way")}
	for range rapid.IntRange(0, 12).Draw(t, "ticks") {
		*id++
		at := clock + rapid.Int64Range(-30, 25).Draw(t, "at")
		b.Ticks = append(b.Ticks, tick{rapid.Int64Range(1, 3).Draw(t, "key"), *id, at})
	}
	return b
}

func sortedOutput[R any](h *operatortest.Harness[burst, R]) (all []string) {
	for _, r := range h.Output() {
		all = append(all, r.String())
	}
	slices.Sort(all)
	return all
}

// S64, S66: folding in two stages gives, step by step, the results of one stage, late firings included, and drops as many
// records as late, counted as records, at any parallelism and lateness, in disorder; after restores too, also where
// the job takes up the option with a restore, or gives it up.
func TestPreAggregateEqualsOneStage(t *testing.T) {
	const counter = "records_late_dropped"
	rapid.Check(t, func(t *rapid.T) {
		size, lateness := rapid.Int64Range(1, 20).Draw(t, "size"), rapid.Int64Range(0, 1).Draw(t, "late")*rapid.Int64Range(1, 25).Draw(t, "lateness")
		one, two := operatortest.Keyed(t, windowed(size, lateness, false)), operatortest.Keyed(t, windowed(size, lateness, true))
		clock, id := int64(0), int64(0)
		for i := range rapid.IntRange(1, 25).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0:
				a, b, p := one.Snapshot(), two.Snapshot(), rapid.IntRange(1, 3).Draw(t, "parallelism")
				if rapid.Bool().Draw(t, "swap") {
					a, b = b, a
				}
				one.Restore(a, p)
				two.Restore(b, p)
			case 1:
				clock += rapid.Int64Range(0, 25).Draw(t, "on")
				one.Watermark(clock)
				two.Watermark(clock)
			default:
				b := drawBurst(t, clock, &id)
				one.Process(b, 0)
				two.Process(b, 0)
			}
			if got, want := sortedOutput(two), sortedOutput(one); !slices.Equal(got, want) {
				t.Fatalf("step %d: two stages gave\n%s\none\n%s", i, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if got, want := two.Counter(counter), one.Counter(counter); got != want {
				t.Fatalf("step %d: two stages dropped %d, one %d", i, got, want)
			}
			if got, want := two.StateSize(), one.StateSize(); got != want {
				t.Fatalf("step %d: two stages keep %d entries, one %d", i, got, want)
			}
		}
		one.End()
		two.End()
		if got, want := sortedOutput(two), sortedOutput(one); !slices.Equal(got, want) || two.StateSize() != 0 {
			t.Fatalf("at the end: two stages gave\n%v\none\n%v\nand keep %d entries", got, want, two.StateSize())
		}
	})
}

// S51, S66, S111: the same results between the same watermarks with watermarks inside of batches, at any parallelism
// and with a restore between any two steps. A late tick of a burst fires each time again, by itself.
func TestPreAggregateInBatches(t *testing.T) {
	at := func(key, n, at int64) tick { return tick{key, n, at} }
	result := func(key, start int64, value string) operatortest.Record[tickSums] {
		return operatortest.At(tickSums{Key: key, Start: start, End: start + 10, Value: value}, start+9)
	}
	operatortest.RunScript(t, windowed(10, 5, true), operatortest.NewScript[burst, tickSums]().
		Process(burst{0, []tick{at(1, 1, 0), at(1, 2, 9), at(2, 3, 10), at(1, 4, 11)}}, 0).
		Process(burst{1, []tick{at(1, 5, 3), at(2, 6, -1), at(2, 7, -10)}}, 0).
		Watermark(9).Expect(result(2, -10, "[6 7]"), result(1, 0, "[1 2 5]")).
		Process(burst{1, []tick{at(1, 8, 4), at(1, 9, 12), at(1, 10, 5), at(2, 11, -3)}}, 0).
		Expect(result(1, 0, "[1 2 5 8]"), result(1, 0, "[1 2 5 8 10]")).
		Watermark(14).
		Process(burst{2, []tick{at(1, 12, 4), at(2, 13, 19)}}, 0).
		Expect().
		End().Expect(result(1, 10, "[4 9]"), result(2, 10, "[3 13]")))
}

// ReduceWindow begins with the first record of a part, and WindowAll folds where the records come from: what goes over
// to its one subtask is a part for each batch.
func TestPreAggregateReduceAndWindowAll(t *testing.T) {
	least := func(a, b tick) tick {
		if b.N < a.N {
			return b
		}
		return a
	}
	h := operatortest.Keyed(t, func(in *operators.Stream[burst]) *operators.Stream[operators.WindowResult[uint8, tick]] {
		return operators.ReduceWindow(operators.WindowAll(ticksOf(in).Parallelism(3), operators.Tumbling(ms(10))).PreAggregate(), "least", least)
	})
	for way := range int64(6) {
		h.Process(burst{way, []tick{{1, 7 + way, 1}, {2, 5 + way, 2}, {3, 6 + way, 3}}}, 0)
	}
	h.Watermark(9)
	if got := fmt.Sprint(sortedOutput(h)); got != "[{Key:0 Start:0 End:10 Value:{Key:2 N:5 At:2}} @9]" {
		t.Fatal(got)
	}
}

// The first stage is fused with what the records come from and as parallel as that, whenever its parallelism is set; a
// union has one for each of its streams. Without the option there is none: nothing is folded ahead unasked (S71).
func TestS71_PreAggregateInThePlan(t *testing.T) {
	build := func(pre bool) string {
		top := operators.NewTopology("plan").Parallelism(2)
		from := func(name string) *operators.Stream[tick] {
			return operators.From(top, name, operators.Slice[tick](), operators.Monotonous(func(t tick) int64 { return t.At }))
		}
		a, b := from("a"), from("b")
		w := operators.KeyBy(operators.Union(a.Rebalance(), b), tickKey).Window(operators.Tumbling(ms(10)))
		if pre {
			w = w.PreAggregate()
		}
		listed(w).To("out", printer[tickSums]{})
		a.Parallelism(3)
		p, err := top.Build()
		if err != nil {
			t.Fatal(err)
		}
		return p.String()
	}
	text := build(true)
	for _, want := range []string{
		"chain 0 ×3, region 0\n  a            source",
		"  sum.combine  combine  tumbling 10ms\n",
		"chain 1 ×2, region 0\n  b             source",
		"  sum.combine2  combine  tumbling 10ms\n",
		"chain 2 ×2, region 0\n  sum  window  tumbling 10ms, pre-aggregated; state; event time\n",
		"a → sum.combine     forward, chained",
		"sum.combine2 → sum  hash by int64",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if text := build(false); strings.Contains(text, "combine") {
		t.Errorf("folded ahead unasked:\n%s", text)
	}
}

// S71: windows after windows hold exactly the parts, of equal size, of a multiple, and all keys together, and a result
// has the last ms of its window as its time; with and without pre-aggregation, and late ticks fire nothing behind.
func TestS71_WindowsAfterWindows(t *testing.T) {
	chain := func(first, second int64, pre bool) func(in *operators.Stream[burst]) *operators.Stream[allSums] {
		return func(in *operators.Stream[burst]) *operators.Stream[allSums] {
			all := operators.WindowAll(windowed(first, 0, pre)(in), operators.Tumbling(ms(second)))
			return operators.Aggregate(all, "all", operators.Aggregator[tickSums, []string, string](joining{}))
		}
	}
	result := func(start, end int64, value string) operatortest.Record[allSums] {
		return operatortest.At(allSums{Start: start, End: end, Value: value}, end-1)
	}
	for _, pre := range []bool{false, true} {
		script := func() *operatortest.Script[burst, allSums] {
			return operatortest.NewScript[burst, allSums]().
				Process(burst{0, []tick{{1, 1, 0}, {1, 2, 9}, {2, 3, 4}, {1, 4, 10}}}, 0).
				Process(burst{1, []tick{{2, 5, 15}, {1, 6, 12}, {2, 7, 20}}}, 0).
				Watermark(8).Expect().
				Watermark(9)
		}
		operatortest.RunScript(t, chain(10, 10, pre), script().
			Expect(result(0, 10, "1 0 [1 2], 2 0 [3]")).
			Watermark(19).Expect(result(10, 20, "1 10 [4 6], 2 10 [5]")).
			End().Expect(result(20, 30, "2 20 [7]")))
		operatortest.RunScript(t, chain(5, 10, pre), script().
			Expect(result(0, 10, "1 0 [1], 1 5 [2], 2 0 [3]")).
			Watermark(19).Expect(result(10, 20, "1 10 [4 6], 2 15 [5]")).
			End().Expect(result(20, 30, "2 20 [7]")))
	}
}

// joining lists the windows that it gets.
type joining struct{}

func (joining) CreateAccumulator() []string { return nil }
func (joining) Add(acc []string, r tickSums) []string {
	return append(acc, fmt.Sprintf("%d %d %s", r.Key, r.Start, r.Value))
}
func (joining) Merge(a, b []string) []string { return append(a, b...) }
func (joining) Result(acc []string) string {
	return strings.Join(slices.Sorted(slices.Values(acc)), ", ")
}

// S50: all of a WindowAll goes through one subtask, and the plan says so, whatever the topology's parallelism; setting
// another is refused.
func TestS50_WindowAllInThePlan(t *testing.T) {
	build := func(parallelism int) (string, error) {
		top := operators.NewTopology("plan").Parallelism(4)
		in := operators.From(top, "in", operators.Slice[tick](), operators.Monotonous(func(t tick) int64 { return t.At }))
		all := operators.ReduceWindow(operators.WindowAll(in, operators.Tumbling(ms(10))), "all", func(a, b tick) tick { return b })
		if parallelism > 0 {
			all = all.Parallelism(parallelism)
		}
		all.To("out", printer[operators.WindowResult[uint8, tick]]{}).Parallelism(1)
		p, err := top.Build()
		if err != nil {
			return "", err
		}
		return p.String(), nil
	}
	text, err := build(0)
	if want := "chain 1 ×1, region 0\n  all  window  tumbling 10ms, all in one subtask; state; event time\n"; err != nil || !strings.Contains(text, want) {
		t.Errorf("%v\n%s\nwant %s", err, text, want)
	}
	if _, err := build(2); err == nil || !strings.Contains(err.Error(), `operator "all": parallelism 2: WindowAll has all records in one subtask`) {
		t.Errorf("%v", err)
	}
}

// What cannot be folded ahead is refused when the topology is built, each with its reason; a key that is none is told
// once.
func TestPreAggregateBuildErrors(t *testing.T) {
	tumbling := operators.Tumbling(ms(10))
	for _, c := range []struct {
		build func(in *operators.KeyedStream[int64, tick])
		want  string
	}{
		{func(in *operators.KeyedStream[int64, tick]) {
			listed(in.Window(operators.Sliding(ms(10), ms(5))).PreAggregate()).To("out", printer[tickSums]{})
		}, `PreAggregate(): the windows are sliding 10ms by 5ms; it is for Aggregate and ReduceWindow over tumbling windows of event time alone, so leave it out`},
		{func(in *operators.KeyedStream[int64, tick]) {
			listed(in.Window(tumbling.ProcessingTime()).PreAggregate()).To("out", printer[tickSums]{})
		}, `PreAggregate(): the windows are tumbling 10ms of processing time; `},
		{func(in *operators.KeyedStream[int64, tick]) {
			listed(operators.Triggered(in.Window(tumbling).PreAggregate(), operators.Trigger[tick, int64](operators.Count[tick](2)))).To("out", printer[tickSums]{})
		}, `PreAggregate(): the windows have a trigger, `},
		{func(in *operators.KeyedStream[int64, tick]) {
			listed(in.Window(tumbling).PreAggregate().Evict(operators.KeepLast[tick](2))).To("out", printer[tickSums]{})
		}, `PreAggregate(): the windows have an evictor, keep the last 2; `},
		{func(in *operators.KeyedStream[int64, tick]) {
			listed(in.Window(tumbling).SideOutputLate(operators.NewTag[tick]("late")).PreAggregate()).To("out", printer[tickSums]{})
		}, `PreAggregate(): SideOutputLate("late") wants late records unchanged; `},
		{func(in *operators.KeyedStream[int64, tick]) {
			operators.ProcessWindow(in.Window(tumbling).PreAggregate(), "sum", newShowTicks).To("out", printer[string]{})
		}, `PreAggregate(): what is behind the windows is neither Aggregate nor ReduceWindow; `},
		{func(in *operators.KeyedStream[int64, tick]) {
			listed(in.Window(operators.Tumbling(0)).PreAggregate()).To("out", printer[tickSums]{})
		}, `Tumbling(0s): a window's size is positive`},
		{func(in *operators.KeyedStream[int64, tick]) {
			operators.Aggregate[int64, tick, []int64, string](in.Window(tumbling).PreAggregate(), "sum", nil).To("out", printer[tickSums]{})
		}, `its Aggregator is nil; give it one`},
	} {
		top := operators.NewTopology("errors")
		in := operators.From(top, "in", operators.Slice[tick](), operators.Monotonous(func(t tick) int64 { return t.At }))
		c.build(operators.KeyBy(in, tickKey))
		_, err := top.Build()
		if want := `operator "sum": ` + c.want; err == nil || strings.Count(err.Error(), want) != 1 {
			t.Errorf("%v\nwant %s, once", err, want)
		}
	}
	top := operators.NewTopology("errors")
	in := operators.From(top, "in", operators.Slice[tick](), operators.Monotonous(func(t tick) int64 { return t.At }))
	listed(operators.KeyBy[tick, int64](in, nil).Window(tumbling).PreAggregate()).To("out", printer[tickSums]{})
	_, err := top.Build()
	if want := `operator "sum": its key: the key function is nil; give KeyBy one`; err == nil || strings.Count(err.Error(), "\n") != 1 || !strings.Contains(err.Error(), want) {
		t.Errorf("%v\nwant %s, alone", err, want)
	}
}

type showTicks struct{}

func newShowTicks(*operators.WindowStates[int64]) showTicks { return showTicks{} }

func (showTicks) Process(*operators.WindowContext[int64, string], []operators.Element[tick]) error {
	return nil
}

// A record without an event time fails the first stage, which names it; those at the limits of event time have windows.
func TestPreAggregateAtTheLimits(t *testing.T) {
	h := operatortest.Keyed(t, windowed(10, 0, true))
	h.Process(burst{0, []tick{{1, 1, messages.MinEventTime}, {1, 2, messages.MaxEventTime}, {1, 3, messages.MaxEventTime}}}, 0)
	h.End()
	if got := h.Output(); len(got) != 2 || got[0].Value.Value != "[1]" || got[1].Value.Value != "[2 3]" {
		t.Fatalf("%v", got)
	}
	failed := &failing{}
	func() {
		defer func() { _ = recover() }()
		h := operatortest.Keyed(failed, func(in *operators.Stream[tick]) *operators.Stream[tickSums] {
			return listed(operators.KeyBy(in, tickKey).Window(operators.Tumbling(ms(10))).PreAggregate())
		})
		h.Process(tick{1, 1, 0}, operators.NoTime)
	}()
	if want := `operator "sum.combine", subtask 0 of 1, at time none: Process: a record without an event time`; !strings.Contains(failed.text, want) {
		t.Fatalf("%q, want %q", failed.text, want)
	}
}

// failing is a test that is to fail.
type failing struct{ text string }

func (*failing) Helper() {}

func (f *failing) Fatalf(format string, args ...any) {
	f.text = fmt.Sprintf(format, args...)
	panic(f.text)
}
