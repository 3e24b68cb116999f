package doubt

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/operatortest"
)

// S23, S64, S66, S99, S110, S111: a window gives its results in steps of one, with late
// records, watermarks and further windows between two of them. With a snapshot at any
// place among the steps, restored at any parallelism, the results are those without
// steps, between the same watermarks and in the same order for each key, and the same
// records are late: of one operator, and of a second one behind it.
func TestSteps(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			c := &windowCase{windows: "tumbling", size: 10, trigger: "default", form: "aggregate", side: true}
			c.lateness = []int64{0, 0, 8, 25}[rng.IntN(4)]
			build := c.adding
			if seed%3 == 2 {
				build = c.twice
			}
			operatortest.RunScript(t, build, drawSteps(rng))
		})
	}
}

// adding adds up the records of a case's windows.
func (c *windowCase) adding(in *operators.Stream[Rec]) *operators.Stream[result] {
	w := c.windowed(operators.KeyBy(in, func(r Rec) string { return r.Key }))
	return operators.Aggregate(w.AllowedLateness(millis(c.lateness)).SideOutputLate(tooLate), "window", operators.Aggregator[Rec, Rec, Rec](adding{}))
}

// twice adds up what adding gives, for all keys together. The first results lie at the
// very end of the second windows.
func (c *windowCase) twice(in *operators.Stream[Rec]) *operators.Stream[result] {
	c.lateness = 0
	sums := operators.Map(c.adding(in), "sums", func(r result) Rec { return r.Value })
	w := c.windowed(operators.KeyBy(sums, func(Rec) string { return "all" }))
	return operators.Aggregate(w, "second", operators.Aggregator[Rec, Rec, Rec](adding{}))
}

type adding struct{}

func (adding) CreateAccumulator() Rec { return Rec{} }
func (adding) Add(sum, r Rec) Rec     { return Rec{V: sum.V + r.V} }
func (adding) Merge(a, b Rec) Rec     { return Rec{V: a.V + b.V} }
func (adding) Result(sum Rec) Rec     { return sum }

// drawSteps draws records of a few windows, some of them late, and watermarks that
// pass none, one or several.
func drawSteps(rng *rand.Rand) *operatortest.Script[Rec, result] {
	s := operatortest.NewScript[Rec, result]()
	watermark := int64(-5)
	for i := range int64(16) {
		if rng.IntN(3) == 0 {
			watermark += rng.Int64N(16)
			s.Watermark(watermark)
			continue
		}
		s.Process(Rec{Key: string(rune('a' + rng.IntN(6))), V: 1 << i}, watermark-8+rng.Int64N(30))
	}
	return s.End()
}
