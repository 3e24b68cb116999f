package main

import (
	"bytes"
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
)

// S84, S86: the program's check holds, and it says what it always says.
func TestOutput(t *testing.T) {
	datadriven.RunTest(t, "testdata/output.txt", func(t *testing.T, d *datadriven.TestData) string {
		var out bytes.Buffer
		if err := run(context.Background(), t.TempDir(), &out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	})
}

// S84 on any rides: each goes to the outputs of its tags, as the tag's type, to the main output and a side or to one of
// them, and every channel keeps the order: with several subtasks, each of them does.
func TestS84_AnyRides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rides := drawn(t)
		parallelism := rapid.IntRange(1, 3).Draw(t, "parallelism")
		var l lists
		top := operators.NewTopology("any").Parallelism(parallelism)
		in := operators.From(top, "rides", operators.Slice(rides...), operators.Monotonous(pickedUp)).Parallelism(1)
		sortOut(in.Rebalance(), l.sinks())
		config := cluster.Config{BatchRecords: rapid.SampledFrom([]int{1, 7, 512}).Draw(t, "batch")}
		if _, err := cluster.Run(context.Background(), top, config); err != nil {
			t.Fatal(err)
		}

		got, want := l.inOrder(), &sorted{}
		for _, r := range rides {
			want.add(r)
		}
		want.count()
		if err := got.compare(want); err != nil {
			t.Fatal(err)
		}
		for _, part := range slices.Concat(l.city.parts(), l.elsewhere.parts()) {
			if !slices.IsSortedFunc(part, byID) {
				t.Fatalf("a subtask gives rides in the order %v", part)
			}
		}
		for _, part := range l.leaving.parts() {
			if !slices.IsSortedFunc(part, byRide) {
				t.Fatalf("a subtask gives leaving rides in the order %v", part)
			}
		}
	})
}

// S84, on any file: malformed lines go to the side output of the source, in their order, and no ride is lost by them.
func TestS84_AnyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rides.csv")
	rapid.Check(t, func(t *rapid.T) {
		if err := writeRides(path, rapid.Uint64().Draw(t, "seed")); err != nil {
			t.Fatal(err)
		}
		want, err := straightLine(path)
		if err != nil {
			t.Fatal(err)
		}
		var l lists
		config := cluster.Config{BatchRecords: rapid.SampledFrom([]int{1, 7, 512}).Draw(t, "batch")}
		if _, err := cluster.Run(context.Background(), topology(path, l.sinks()), config); err != nil {
			t.Fatal(err)
		}
		if len(want.Broken) == 0 {
			t.Fatal("the file has no broken line")
		}
		if err := l.outputs().compare(want); err != nil {
			t.Fatal(err)
		}
	})
}

// drawn are rides with places in and around the city, on its borders too.
func drawn(t *rapid.T) []Ride {
	lon := rapid.SampledFrom([]float64{-74.06, west, -73.9, east, -73.69})
	lat := rapid.SampledFrom([]float64{40.49, south, 40.7, north, 41.01})
	rides := make([]Ride, rapid.IntRange(0, 200).Draw(t, "rides"))
	at := time.Date(2019, 3, 23, 7, 0, 0, 0, time.UTC)
	for i := range rides {
		at = at.Add(time.Duration(rapid.IntRange(0, 120).Draw(t, "seconds")) * time.Second)
		rides[i] = Ride{int64(i + 1), at, lon.Draw(t, "from"), lat.Draw(t, "from"), lon.Draw(t, "to"), lat.Draw(t, "to")}
	}
	return rides
}

// S86: a side output is a normal stream: it is filtered, mapped, keyed, windowed, united with another one, and what
// reads it has side outputs of its own.
func TestS86_SideOutputIsAStream(t *testing.T) {
	odd, third := operators.NewTag[int64]("odd"), operators.NewTag[int64]("third")
	top := operators.NewTopology("streams")
	var numbers []int64
	for i := range int64(3000) {
		numbers = append(numbers, i)
	}
	in := operators.From(top, "numbers", operators.Slice(numbers...), operators.Monotonous(func(v int64) int64 { return v }))
	even := operators.FlatMap(in, "even", func(v int64, out *operators.Out[int64]) error {
		if v%2 == 1 {
			odd.Emit(out, v)
		} else {
			out.Emit(v)
		}
		return nil
	}, odd)
	odds := operators.SideOutput(even, odd)

	var filtered, mapped, again, united list[int64]
	odds.Filter("large", func(v int64) bool { return v > 1000 }).To("filtered", &filtered)
	operators.Map(odds, "double", func(v int64) int64 { return 2 * v }).To("mapped", &mapped)
	split := operators.FlatMap(odds, "split", func(v int64, out *operators.Out[int64]) error {
		if v%3 == 0 {
			third.Emit(out, v)
		}
		return nil
	}, third)
	operators.SideOutput(split, third).To("again", &again)
	operators.Union(even, odds).To("united", &united)
	var sums list[operators.WindowResult[int64, int64]]
	keyed := operators.KeyBy(odds, func(v int64) int64 { return v % 4 })
	operators.ReduceWindow(keyed.Window(operators.Tumbling(time.Second)), "sum", func(a, b int64) int64 { return a + b }).To("sums", &sums)
	if _, err := cluster.Run(context.Background(), top, cluster.Config{}); err != nil {
		t.Fatal(err)
	}

	var wantFiltered, wantMapped, wantAgain []int64
	wantSums := map[[2]int64]int64{}
	for v := int64(1); v < 3000; v += 2 {
		if v > 1000 {
			wantFiltered = append(wantFiltered, v)
		}
		wantMapped = append(wantMapped, 2*v)
		if v%3 == 0 {
			wantAgain = append(wantAgain, v)
		}
		wantSums[[2]int64{v % 4, v / 1000 * 1000}] += v
	}
	equal(t, "filtered", filtered.all(), wantFiltered)
	equal(t, "mapped", mapped.all(), wantMapped)
	equal(t, "side output of a side output", again.all(), wantAgain)
	equal(t, "united", slices.Sorted(slices.Values(united.all())), numbers)
	for _, r := range sums.all() {
		key := [2]int64{r.Key, r.Start}
		if wantSums[key] != r.Value {
			t.Errorf("the sum %+v should be %d, once", r, wantSums[key])
		}
		delete(wantSums, key)
	}
	if len(wantSums) > 0 {
		t.Errorf("no sums for %v", wantSums)
	}
}

func equal(t *testing.T, what string, got, want []int64) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %d numbers, not the %d wanted in their order", what, len(got), len(want))
	}
}

// A check that cannot fail proves nothing.
func TestCompareFindsFaults(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rides.csv")
	if err := writeRides(path, 5); err != nil {
		t.Fatal(err)
	}
	want, err := straightLine(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want.Broken {
		want.Broken[i].Reason = "it is broken"
	}
	for name, spoil := range map[string]func(s *sorted){
		"a lost ride":           func(s *sorted) { s.City = s.City[1:] },
		"rides out of order":    func(s *sorted) { s.City = slices.Concat(s.City[1:2], s.City[:1], s.City[2:]) },
		"a ride twice":          func(s *sorted) { s.Elsewhere = append(slices.Clone(s.Elsewhere), s.Elsewhere[0]) },
		"a leaving ride lost":   func(s *sorted) { s.Leaving = s.Leaving[1:] },
		"an hour lost":          func(s *sorted) { s.Hours = s.Hours[1:] },
		"a broken line lost":    func(s *sorted) { s.Broken = s.Broken[1:] },
		"a line without reason": func(s *sorted) { s.Broken = slices.Clone(s.Broken); s.Broken[0].Reason = "" },
		"another field blamed":  func(s *sorted) { s.Broken = slices.Clone(s.Broken); s.Broken[0].Field += "x" },
	} {
		got := *want
		if err := got.compare(want); err != nil {
			t.Fatal(err)
		}
		if spoil(&got); got.compare(want) == nil {
			t.Errorf("%s goes unseen", name)
		}
	}
}

// lists are sinks in memory.
type lists struct {
	city, elsewhere list[Ride]
	leaving         list[Leaving]
	hours           list[hourCount]
	broken          list[Broken]
}

func (l *lists) sinks() sinks {
	return sinks{city: &l.city, elsewhere: &l.elsewhere, leaving: &l.leaving, hours: &l.hours, broken: &l.broken}
}

// outputs are the records as they came.
func (l *lists) outputs() *sorted {
	return &sorted{l.city.all(), l.elsewhere.all(), l.leaving.all(), l.hours.all(), l.broken.all()}
}

// inOrder brings what several subtasks gave into the order of the rides.
func (l *lists) inOrder() *sorted {
	s := l.outputs()
	slices.SortFunc(s.City, byID)
	slices.SortFunc(s.Elsewhere, byID)
	slices.SortFunc(s.Leaving, byRide)
	return s
}

func byID(a, b Ride) int      { return cmp.Compare(a.ID, b.ID) }
func byRide(a, b Leaving) int { return cmp.Compare(a.Ride, b.Ride) }

// list is a plain sink that keeps what each of its subtasks gets.
type list[T any] struct {
	mu      sync.Mutex // guards writers
	writers []*listWriter[T]
}

type listWriter[T any] struct{ values []T }

func (l *list[T]) Kind() operators.SinkKind { return operators.Plain }

func (l *list[T]) Open(context.Context, operators.SinkContext) (operators.Writer[T], error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := &listWriter[T]{}
	l.writers = append(l.writers, w)
	return w, nil
}

func (w *listWriter[T]) Flush(context.Context) error { return nil }
func (w *listWriter[T]) Close() error                { return nil }

func (w *listWriter[T]) Write(_ context.Context, b *operators.Batch[T]) error {
	w.values = append(w.values, b.Values...)
	return nil
}

// parts are the records by subtask, in the order in which they came.
func (l *list[T]) parts() [][]T {
	var parts [][]T
	for _, w := range l.writers {
		parts = append(parts, w.values)
	}
	return parts
}

func (l *list[T]) all() []T { return slices.Concat(l.parts()...) }
