package operatortest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/operators"
)

func TestSorterIsRight(t *testing.T) { RunScript(t, sorted, sorting()) }

// Windows give results with a field Key, so that keys may fire in any order.
func TestScriptOfWindows(t *testing.T) {
	type result = operators.WindowResult[string, int]
	build := func(in *operators.Stream[event]) *operators.Stream[result] {
		return operators.Aggregate(operators.KeyBy(in, keyOf).Window(operators.Tumbling(10*time.Millisecond)), "sum", sum{})
	}
	RunScript(t, build, NewScript[event, result]().
		Process(b(1), 1).Process(a(2), 2).Process(b(3), 9).Watermark(8).Expect().
		Process(a(4), 12).Watermark(9).
		Expect(At(result{Key: "a", Start: 0, End: 10, Value: 2}, 9), At(result{Key: "b", Start: 0, End: 10, Value: 4}, 9)).
		Process(a(8), 3). // late: dropped
		End().Expect(At(result{Key: "a", Start: 10, End: 20, Value: 4}, 19)))
}

type sum struct{}

func (sum) CreateAccumulator() int { return 0 }
func (sum) Add(n int, e event) int { return n + e.Value }
func (sum) Merge(a, b int) int     { return a + b }
func (sum) Result(n int) int       { return n }

// Processing time goes on over a restore.
func TestScriptOfProcessingTime(t *testing.T) {
	RunScript(t, alarms, NewScript[event, int64]().Key(func(int64) any { return nil }).
		Process(a(50), operators.NoTime).Process(b(30), operators.NoTime).
		AdvanceProcessingTime(29*time.Millisecond).Expect().
		AdvanceProcessingTime(20*time.Millisecond).Expect(At(int64(30), 30), At(int64(35), 35)).
		AdvanceProcessingTime(time.Millisecond).Expect(At(int64(50), 50)))
}

// An operator without key, several in a row, and a fork that joins again: what
// order there is not in a job, is not asked for.
func TestScriptOfOtherShapes(t *testing.T) {
	double := func(e event) event { return event{e.Key, 2 * e.Value} }
	shapes := map[string]func(in *operators.Stream[event]) *operators.Stream[event]{
		"nothing": func(in *operators.Stream[event]) *operators.Stream[event] { return in },
		"map":     func(in *operators.Stream[event]) *operators.Stream[event] { return operators.Map(in, "double", double) },
		"map, sort": func(in *operators.Stream[event]) *operators.Stream[event] {
			return sorted(operators.Map(in, "double", double))
		},
		"sort, map": func(in *operators.Stream[event]) *operators.Stream[event] {
			return operators.Map(sorted(in), "double", double).Parallelism(2)
		},
		"fork, join": func(in *operators.Stream[event]) *operators.Stream[event] {
			return operators.Union(operators.Map(in, "double", double), sorted(in))
		},
	}
	for name, build := range shapes {
		t.Run(name, func(t *testing.T) {
			s := NewScript[event, event]()
			for i := range 12 {
				s.Process(event{string(rune('a' + i%3)), i}, int64(7*i%12))
				if i%4 == 3 {
					s.Watermark(int64(i / 2))
				}
			}
			RunScript(t, build, s.End())
		})
	}
}

func TestScriptFailures(t *testing.T) {
	one := func() *Script[event, event] { return NewScript[event, event]().Process(a(1), 1).Watermark(1) }
	for what, c := range map[string]struct {
		s    *Script[event, event]
		want string
	}{
		"missing":          {one().Expect(At(a(1), 1), At(a(2), 2)), "step 3, Expect: the output is not what is expected:\n-want +got (value @time)"},
		"unexpected":       {one().Expect(), `"{Key:a Value:1} @1"`},
		"another value":    {one().Expect(At(a(2), 1)), `"{Key:a Value:2} @1"`},
		"another time":     {one().Expect(At(a(1), 2)), `"{Key:a Value:1} @2"`},
		"order of a key":   {one().Process(a(2), 2).Watermark(2).Expect(At(a(2), 2), At(a(1), 1)), "not what is expected"},
		"side, unexpected": {ExpectSide(one().Process(a(1), 1), lateTag), `side output "late" is not what is expected`},
		"side, missing":    {ExpectSide(one(), lateTag, At(a(1), 1)), `side output "late" is not what is expected`},
		"side, unknown":    {ExpectSide(one(), operators.NewTag[int]("other")), `no operator writes to side output "other"`},
		"after the end":    {one().End().Process(a(1), 1), "step 4, Process({Key:a Value:1}, 1): operator"},
	} {
		got := failureOf(func(t TB) { RunScript(t, sorted, c.s) })
		if !contains(got, c.want) {
			t.Errorf("%s: the failure does not say %q:\n%s", what, c.want, got)
		}
	}
}

// Values that print alike are still told apart.
func TestScriptComparesValuesNotTexts(t *testing.T) {
	one, two := 1, 2
	build := func(in *operators.Stream[int]) *operators.Stream[hidden] {
		return operators.Map(in, "hide", func(int) hidden { return hidden{&one} })
	}
	RunScript(t, build, NewScript[int, hidden]().Process(0, 1).Expect(At(hidden{&one}, 1)))
	mustFail(t, func(t TB) {
		RunScript(t, build, NewScript[int, hidden]().Process(0, 1).Expect(At(hidden{&two}, 1)))
	}, "-want +got")
}

type hidden struct{ p *int }

func (hidden) String() string { return "hidden" }

// Every gap between two steps is cut, at every size, and every parallelism runs.
func TestVariants(t *testing.T) {
	s := NewScript[event, event]().Process(a(1), 1).Watermark(1).Expect().Process(a(2), 2)
	var got []string
	for _, v := range variants(s.cuts()) {
		got = append(got, fmt.Sprintf("%d:%d:%d:%d", v.size, v.parallelism, v.cut, v.restored))
	}
	var want []string
	for _, size := range []int{1, 2, 512} {
		for _, rest := range []string{"1:0:0", "2:0:0", "3:0:0",
			"1:1:1", "1:1:2", "2:1:3", "3:1:1", "1:3:1", "1:3:2", "2:3:3", "3:3:1", "1:-1:0"} {
			want = append(want, fmt.Sprintf("%d:%s", size, rest))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Records wait in a batch, over marks and over steps that only look, until there
// are as many as the variant says.
func TestBatchesAreGathered(t *testing.T) {
	s := NewScript[int, int]().Process(1, 1).Watermark(1).Process(2, 2).Expect(At(1, 1), At(2, 2)).Process(3, 3).Process(4, 4).AdvanceProcessingTime(0)
	for size, want := range map[int]string{1: "[0 0 0 0 0 0 0]", 2: "[1 1 2 2 1 2 0]", 512: "[1 1 2 2 3 4 0]"} {
		var waiting []int
		r := &run{t: t, script: &s.script, variant: variant{size: size, parallelism: 1}}
		r.stand = standFor(t, func(in *operators.Stream[int]) *operators.Stream[int] { return in }, 1, true, false)
		r.stand.Batches(size)
		for _, st := range s.steps {
			r.step(st)
			if waiting = append(waiting, 0); r.stand.batch != nil {
				waiting[len(waiting)-1] = r.stand.batch.Len()
			}
		}
		if fmt.Sprint(waiting) != want {
			t.Errorf("batches of %d: %v wait, want %v", size, waiting, want)
		}
	}
}

// Whatever a script does, an operator that is right passes.
func TestAnyScriptOfTheSorter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, clock := NewScript[event, event](), int64(0)
		for range rapid.IntRange(1, 6).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "watermark") {
				clock += int64(rapid.IntRange(0, 4).Draw(t, "by"))
				s.Watermark(clock)
				continue
			}
			key := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "key")
			s.Process(event{key, rapid.IntRange(0, 9).Draw(t, "value")}, clock+int64(rapid.IntRange(-2, 6).Draw(t, "time")))
		}
		RunScript(t, sorted, s.End())
	})
}
