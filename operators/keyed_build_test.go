package operators

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/weirflow/weir/operators/plan"
)

// built is what Build says about a topology whose keyed operators are added by build.
func built(strategy WatermarkStrategy[fare], build func(*Stream[fare])) string {
	top := NewTopology("t")
	build(From(top, "fares", Slice[fare](), strategy))
	_, err := top.Build()
	if err == nil {
		return ""
	}
	return err.Error()
}

func onTime() WatermarkStrategy[fare] {
	return Monotonous(func(f fare) int64 { return f.Tip })
}

// wrongTimer's OnTimer would never be called.
type wrongTimer struct{ does }

func (wrongTimer) OnTimer(*Context[string, string], int64) error { return nil }

type wrongClose struct{ does }

func (wrongClose) Close() {}

// S40, S54: what is wrong with a keyed operator is an error at build that names the operator, the option, its value
// and the remedy.
func TestKeyedBuildErrors(t *testing.T) {
	process := func(declare func(*States[string])) func(*Stream[fare]) {
		return func(in *Stream[fare]) {
			Process(fares(in), "op", func(s *States[string]) does { declare(s); return func(*Context[string, string]) {} })
		}
	}
	windows := func(w TumblingWindows, lateness time.Duration) func(*Stream[fare]) {
		return func(in *Stream[fare]) {
			Aggregate(fares(in).Window(w).AllowedLateness(lateness), "op", sumTips{})
		}
	}
	early := func(change func(WatermarkTrigger[fare]) WatermarkTrigger[fare]) func(*Stream[fare]) {
		return func(in *Stream[fare]) {
			w := fares(in).Window(Tumbling(time.Hour))
			Aggregate(Triggered(w, Purging(Trigger[fare, EarlyState](change(AfterWatermark[fare]())))), "op", sumTips{})
		}
	}
	trigger := func(t Trigger[fare, int64]) func(*Stream[fare]) {
		return func(in *Stream[fare]) {
			Aggregate(Triggered(fares(in).Window(Tumbling(time.Hour)), t), "op", sumTips{})
		}
	}
	evict := func(e Evictor[fare]) func(*Stream[fare]) {
		return func(in *Stream[fare]) {
			Aggregate(fares(in).Window(Tumbling(time.Hour)).Evict(e), "op", sumTips{})
		}
	}
	delta := func(threshold float64, distance func(a, b fare) float64) func(*Stream[fare]) {
		return func(in *Stream[fare]) {
			w := fares(in).Window(Tumbling(time.Hour))
			Aggregate(Triggered(w, Trigger[fare, DeltaState[fare]](Delta(threshold, distance))), "op", sumTips{})
		}
	}
	far := func(a, b fare) float64 { return 1 }
	for _, c := range []struct {
		name  string
		build func(*Stream[fare])
		want  string
	}{
		{"early below a ms", early(func(w WatermarkTrigger[fare]) WatermarkTrigger[fare] { return w.EarlyEvery(500 * time.Microsecond) }),
			`operator "op": EarlyEvery(500µs): event time is in milliseconds; give a whole number of them`},
		{"early by a negative time", early(func(w WatermarkTrigger[fare]) WatermarkTrigger[fare] { return w.EarlyEveryProcessing(-time.Second) }),
			"EarlyEveryProcessing(-1s): the time is not negative; give 1ms or more, or leave it out"},
		{"early by a negative count", early(func(w WatermarkTrigger[fare]) WatermarkTrigger[fare] { return w.EarlyCount(-1) }),
			"EarlyCount(-1): give 1 record or more, or leave it out"},
		{"count of none", trigger(Count[fare](0)), "Count(0): a trigger counts at least 1 record"},
		{"purging nothing", trigger(Purging[fare, int64](nil)), "Purging(nil): give it a trigger"},
		{"windows of no records, told once", func(in *Stream[fare]) { Aggregate(fares(in).CountWindow(0), "op", sumTips{}) },
			`operator "op": CountWindow(0): a window has at least 1 record`},
		{"delta without distance", delta(1, nil), "Delta: its function of distance is nil; give it one"},
		{"delta without threshold", delta(math.NaN(), far), "Delta(NaN): nothing compares with the threshold NaN; give a number"},
		{"keep less than none", evict(KeepLast[fare](-1)), "KeepLast(-1): the number of elements is not negative; give how many to keep"},
		{"keep below a ms", evict(AfterFunction(KeepNewest[fare](time.Microsecond))), "KeepNewest(1µs): event time is in milliseconds"},
		{"keep by no distance", evict(KeepNear[fare](1, nil)), "KeepNear: its function of distance is nil; give it one"},
		{"nothing after the function", evict(AfterFunction[fare](nil)), "AfterFunction(nil): give it an evictor of this package"},
		{"zero size", windows(Tumbling(0), 0), `operator "op": Tumbling(0s): a window's size is positive; give at least 1ms`},
		{"negative size", windows(Tumbling(-time.Hour), 0), "Tumbling(-1h0m0s): a window's size is positive"},
		{"size below a ms", windows(Tumbling(1500*time.Microsecond), 0), "Tumbling(1.5ms): event time is in milliseconds; give a whole number of them"},
		{"offset below a ms", windows(Tumbling(time.Hour).Offset(time.Nanosecond), 0), "Offset(1ns): event time is in milliseconds"},
		{"negative lateness", windows(Tumbling(time.Hour), -time.Second), `operator "op": AllowedLateness(-1s): lateness is not negative; give 0 to allow none`},
		{"two at once, a line each", windows(Tumbling(0), -1), `operator "op": AllowedLateness(-1ns)`},
		{"nil aggregator", func(in *Stream[fare]) {
			Aggregate[string, fare, int64, int64](fares(in).Window(Tumbling(time.Hour)), "op", nil)
		}, `operator "op": its Aggregator is nil`},
		{"nil reduce of windows", func(in *Stream[fare]) { ReduceWindow(fares(in).Window(Tumbling(time.Hour)), "op", nil) }, "is nil"},
		{"accumulator without codec", func(in *Stream[fare]) {
			Aggregate(fares(in).Window(Tumbling(time.Hour)), "op", Aggregator[fare, chan int, int](channels{}))
		}, `operator "op": the accumulator: chan int cannot be encoded`},
		{"nil reduce", func(in *Stream[fare]) { Reduce(fares(in), "op", nil) }, `operator "op": its function is nil`},
		{"record without codec", func(in *Stream[fare]) {
			Reduce(KeyBy(Map(in, "m", func(fare) func() { return nil }), func(func()) int { return 1 }), "op", func(a, _ func()) func() { return a })
		}, `operator "op": the record is its state: func()`},
		{"bad key", func(in *Stream[fare]) { Reduce(KeyBy(in, func(fare) float64 { return 1 }), "op", addTips) }, `operator "op": its key: float64`},
		{"nil process", func(in *Stream[fare]) {
			Process[string, fare, string, does](fares(in), "op", nil)
		}, `operator "op": its function is nil`},
		{"nil function", func(in *Stream[fare]) {
			Process(fares(in), "op", func(*States[string]) *diary { return nil })
		}, `operator "op": its function is nil; let newFunction return one`},
		{"two states of a name", process(func(s *States[string]) { NewValueState[int64](s, "n"); NewListState[int64](s, "n") }),
			`operator "op": state "n" is declared twice; give each state of an operator a name of its own`},
		{"state without a name", process(func(s *States[string]) { NewMapState[int64, int64](s, "") }), `operator "op": a map state has no name`},
		{"state with our name", process(func(s *States[string]) { NewValueState[int64](s, "_timers") }), `state "_timers": names that begin with '_'`},
		{"value without codec", process(func(s *States[string]) { NewValueState[chan int](s, "n") }), `operator "op": state "n": chan int cannot be encoded`},
		{"element without codec", process(func(s *States[string]) { NewListState[func()](s, "n") }), `state "n": func()`},
		{"map value without codec", process(func(s *States[string]) { NewMapState[int64, any](s, "n") }), `state "n": interface`},
		{"map key that is none", process(func(s *States[string]) { NewMapState[float64, int64](s, "n") }), `state "n": its map key: float64`},
		{"OnTimer of another signature", func(in *Stream[fare]) {
			Process(fares(in), "op", func(*States[string]) wrongTimer { return wrongTimer{} })
		}, `operator "op": method OnTimer of operators.wrongTimer is a func(*operators.Context[string,string], int64) error and would not be called; make it a func(*operators.Context[string,string], int64, operators.Domain) error`},
		{"Close of another signature", func(in *Stream[fare]) {
			Process(fares(in), "op", func(*States[string]) wrongClose { return wrongClose{} })
		}, `method Close of operators.wrongClose is a func()`},
		{"tag of two types", func(in *Stream[fare]) {
			w := fares(in).Window(Tumbling(time.Hour)).SideOutputLate(NewTag[fare]("late"))
			SideOutput(Aggregate(w, "op", sumTips{}), NewTag[string]("late"))
		}, `side output "late" is a Tag[string] here and a Tag[operators.fare]`},
	} {
		if got := built(onTime(), c.build); !strings.Contains(got, c.want) {
			t.Errorf("%s:\n%s\nwant %s", c.name, got, c.want)
		}
	}
}

type channels struct{}

func (channels) CreateAccumulator() chan int     { return nil }
func (channels) Add(c chan int, _ fare) chan int { return c }
func (channels) Merge(a, _ chan int) chan int    { return a }
func (channels) Result(chan int) int             { return 0 }

// S40: an event-time window behind a source without a watermark strategy is refused at build.
func TestS40_WindowNeedsWatermarks(t *testing.T) {
	got := built(NoWatermarks[fare](), tips(0, false))
	if !strings.Contains(got, `operator "tips"`) || !strings.Contains(got, "watermark") || !strings.Contains(got, `"fares"`) {
		t.Fatalf("without a strategy: %q", got)
	}
	if got := built(onTime(), tips(0, false)); strings.Contains(got, "watermark") {
		t.Fatalf("with a strategy: %q", got)
	}
}

// What a keyed operator is shows in the plan; its states are declared there with their types.
func TestKeyedOperatorsInThePlan(t *testing.T) {
	op := rigOperator(t, tips(5, true))
	if got, want := op.Detail, "tumbling 10ms, lateness 5ms, late to late"; got != want {
		t.Errorf("detail %q, want %q", got, want)
	}
	if !op.EventTime || !op.Stateful || len(op.Sides) != 1 {
		t.Errorf("event time %v, stateful %v, sides %v", op.EventTime, op.Stateful, op.Sides)
	}
	for _, c := range []struct {
		op   *plan.Operator
		want string
	}{
		{op, lines("window window string int64 in tumbling 10ms", "_clocks clocks string ")},
		{rigOperator(t, runningTips), "reduce value string cbor:operators.fare{Driver string, Tip int64}"},
		{rigOperator(t, scripted), lines("count value string int64", "seen list string string",
			"hours map string int64 -> string", "then map string int64 -> int64", "_timers timers string ", "_clocks clocks string ")},
	} {
		var got []string
		for _, s := range c.op.States {
			got = append(got, strings.Join([]string{s.Name, s.Kind, s.Key, s.Value}, " "))
		}
		if lines(got...) != c.want {
			t.Errorf("states\n%s\nwant\n%s", lines(got...), c.want)
		}
	}
}
