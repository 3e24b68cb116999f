package operators

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/persistence"
)

// folding keeps two states a key: the greatest tip, and all tips as a set that
// its Aggregator changes in place. A tip below 0 clears them.
type folding struct {
	greatest ReducingState[fare]
	all      AggregatingState[fare, string]
}

// tipsOf collects tips in an accumulator that is changed in place.
type tipsOf struct{}

func (tipsOf) CreateAccumulator() map[int64]int64 { return map[int64]int64{} }
func (tipsOf) Add(acc map[int64]int64, v fare) map[int64]int64 {
	acc[v.Tip]++
	return acc
}
func (tipsOf) Merge(a, _ map[int64]int64) map[int64]int64 { panic("a state merges nothing") }
func (tipsOf) Result(acc map[int64]int64) string          { return fmt.Sprint(acc) }

func newFolding(s *States[string]) *folding {
	return &folding{
		greatest: NewReducingState(s, "greatest", func(a, b fare) fare {
			if a.Tip > b.Tip {
				return a
			}
			return b
		}),
		all: NewAggregatingState(s, "all", Aggregator[fare, map[int64]int64, string](tipsOf{})),
	}
}

func (f *folding) ProcessElement(ctx *Context[string, string], v fare) error {
	if v.Tip < 0 {
		f.greatest.Clear()
		f.all.Clear()
	} else {
		f.greatest.Add(v)
		f.all.Add(v)
	}
	g, ok := f.greatest.Get()
	all, okAll := f.all.Get()
	ctx.Emit(fmt.Sprintf("%s %d %v %s %v", ctx.Key(), g.Tip, ok, all, okAll))
	return nil
}

// S82: reducing and aggregating state are scoped to the current key; what was never added to, or was cleared, is
// absent, not zero: a tip of 0 is there. Equal to a dumb twin, with restores in between, and what is frozen at a
// barrier does not see the additions after it.
func TestS82_ReducingAndAggregatingState(t *testing.T) { where(t, reducingAndAggregatingState) }

func reducingAndAggregatingState(t *testing.T, disk persistence.Disk) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRigOn(t, disk, rapid.IntRange(1, 3).Draw(t, "p"), func(in *Stream[fare]) { Process(fares(in), "fold", newFolding) })
		twin := map[string]map[int64]int64{}
		var want []string
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			v := fare{rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "driver"), rapid.Int64Range(-1, 5).Draw(t, "tip")}
			var frozen []frozenRig
			back := rapid.IntRange(0, 9).Draw(t, "restore")
			if back < 2 {
				frozen = r.freeze()
			}
			if back == 0 { // go on from the barrier: this addition never happened
				r.record(v, 0)
				s := r.write(frozen)
				r.close()
				old := r.tasks
				r.start(rapid.IntRange(1, 3).Draw(t, "p"), s)
				r.tasks[0].inherit(old)
				c := r.tasks[0].outputs[""]
				c.records = slices.DeleteFunc(c.records, func(rec rigRecord) bool { return rec.Time == 0 })
				continue
			}
			r.record(v, 1)
			r.write(frozen)
			want = append(want, foldTwin(twin, v)+" @1")
		}
		equalSorted(t, "folded", r.sorted(""), want)
		if n := r.entries(); n != 2*len(twin) {
			t.Fatalf("%d entries, want two for each of %v", n, twin)
		}
	})
}

func foldTwin(twin map[string]map[int64]int64, v fare) string {
	if v.Tip < 0 {
		delete(twin, v.Driver)
		return v.Driver + " 0 false  false"
	}
	if twin[v.Driver] == nil {
		twin[v.Driver] = map[int64]int64{}
	}
	twin[v.Driver][v.Tip]++
	greatest := int64(0)
	for tip := range twin[v.Driver] {
		greatest = max(greatest, tip)
	}
	return fmt.Sprintf("%s %d true %v true", v.Driver, greatest, twin[v.Driver])
}

func TestFoldingStateBuildErrors(t *testing.T) {
	for want, declare := range map[string]func(*States[string]){
		`operator "op": state "n": it has nothing to fold with; give it a function`: func(s *States[string]) { NewReducingState[int64](s, "n", nil) },
		`state "n": it has nothing to fold with`:                                    func(s *States[string]) { NewAggregatingState[fare, int64, int64](s, "n", nil) },
		`state "n": chan int cannot be encoded`:                                     func(s *States[string]) { NewAggregatingState(s, "n", Aggregator[fare, chan int, int](channels{})) },
		`state "n" is declared twice`: func(s *States[string]) {
			NewReducingState(s, "n", addTips)
			NewAggregatingState(s, "n", Aggregator[fare, map[int64]int64, string](tipsOf{}))
		},
	} {
		got := built(onTime(), func(in *Stream[fare]) {
			Process(fares(in), "op", func(s *States[string]) does { declare(s); return func(*Context[string, string]) {} })
		})
		if !strings.Contains(got, want) {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}
