package main

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/files"
)

// The job sums up the numbers below count, by their last digit and second of
// event time; number i has event time i ms.
const (
	count  = 300_000
	digits = 10
)

// failsAt are the numbers at which the job's function panics, once each.
var failsAt = []int64{50_000, 150_000, 250_000}

// failures counts the panics so far. It is no part of the job's state, which is
// rolled back after each.
type failures struct{ n atomic.Int64 }

func (f *failures) risky(v int64) int64 {
	if n := f.n.Load(); int(n) < len(failsAt) && v == failsAt[n] {
		f.n.Add(1)
		panic(fmt.Sprintf("number %d is more than this function can take", v))
	}
	return v
}

func topology(folder string, f *failures) *operators.Topology {
	numbers := make([]int64, count)
	for i := range numbers {
		numbers[i] = int64(i)
	}
	top := operators.NewTopology("embed").Parallelism(2)
	times := operators.Monotonous(func(v int64) int64 { return v })
	stream := operators.From(top, "numbers", operators.Slice(numbers...), times).Parallelism(1)
	digit := operators.KeyBy(operators.Map(stream, "risky", f.risky), func(v int64) int64 { return v % digits })
	sums := operators.Aggregate(digit.Window(operators.Tumbling(time.Second)), "sum", sum{})
	sums.To("sums", files.Sink[operators.WindowResult[int64, int64]](filepath.Join(folder, "sums")))
	return top
}

type sum struct{}

func (sum) CreateAccumulator() int64 { return 0 }
func (sum) Add(acc, v int64) int64   { return acc + v }
func (sum) Merge(a, b int64) int64   { return a + b }
func (sum) Result(acc int64) int64   { return acc }

// slot names a result.
type slot struct{ digit, second int64 }

// straightLine is the same by a loop.
func straightLine() map[slot]int64 {
	sums := map[slot]int64{}
	for v := range int64(count) {
		sums[slot{v % digits, v / 1000 * 1000}] += v
	}
	return sums
}
