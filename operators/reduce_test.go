package operators

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func addTips(a, b fare) fare { return fare{a.Driver, a.Tip + b.Tip} }

func runningTips(in *Stream[fare]) { Reduce(fares(in), "tips", addTips) }

// A running reduce emits for each record what has come together, with the record's time, and passes
// watermarks at their places.
func TestReduce(t *testing.T) {
	r := newRig(t, 1, runningTips)
	r.feed([]fare{{"a", 1}, {"b", 2}, {"a", 4}}, []int64{5, 3, 4}, at(0, 1), at(2, 2), at(3, 3))
	wantLog(t, r, "", lines("-- 1", "{a 1} @5", "{b 2} @3", "-- 2", "{a 5} @4", "-- 3"))
}

// S89, S94 in little: with snapshots restored at any parallelism between any two records, what is emitted is what
// one map emits.
func TestS89_ReduceEqualsDumbTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRig(t, 2, runningTips)
		sums := map[string]int64{}
		var want []string
		for i := range rapid.Int64Range(0, 60).Draw(t, "records") {
			if rapid.IntRange(0, 9).Draw(t, "what") == 0 {
				r.rescale(rapid.IntRange(1, 5).Draw(t, "parallelism"))
			}
			f := fare{fmt.Sprint(rapid.IntRange(0, 9).Draw(t, "driver")), rapid.Int64Range(-9, 9).Draw(t, "tip")}
			r.record(f, i)
			sums[f.Driver] += f.Tip
			want = append(want, fmt.Sprintf("{%s %d} @%d", f.Driver, sums[f.Driver], i))
		}
		slices.Sort(want)
		if got := r.sorted(""); !slices.Equal(got, want) {
			t.Fatalf("%v\nwant %v", got, want)
		}
		if r.entries() != len(sums) {
			t.Fatalf("%d entries for %d keys", r.entries(), len(sums))
		}
	})
}
