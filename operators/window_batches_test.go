package operators

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// S111: output and late set are equal, byte for byte, at batch 1, 7 and 512, at any parallelism, and equal to a
// program that takes the watermark after every record rounded to the granularity.
// S46 in little: nothing of it depends on anything but the records.
func TestS111_AnyBatchSize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bound, granularity := rapid.Int64Range(0, 20).Draw(t, "bound"), rapid.Int64Range(1, 15).Draw(t, "granularity")
		lateness := rapid.SampledFrom([]int64{0, 4}).Draw(t, "lateness")
		n := rapid.IntRange(1, 600).Draw(t, "records")
		values, times := make([]fare, n), make([]int64, n)
		clock := rapid.Int64Range(-500, 500).Draw(t, "start")
		for i := range values {
			clock += rapid.Int64Range(0, 3).Draw(t, "step")
			values[i] = fare{fmt.Sprint(rapid.IntRange(0, 5).Draw(t, "driver")), int64(i)}
			times[i] = clock - rapid.Int64Range(0, 30).Draw(t, "delay")
		}
		results, late := granularTwin(values, times, bound, granularity, lateness)
		for _, p := range []int{1, 3} {
			first := ""
			for _, batch := range []int{1, 7, 512} {
				r := newRig(t, p, tips(lateness, true))
				feedInBatches(t, r, values, times, batch, newBoundedClock[fare](nil, bound, granularity))
				log := strings.Join([]string{r.log(""), r.log("late")}, "\nlate\n")
				if first == "" {
					first = log
				}
				if log != first {
					t.Fatalf("p=%d: with batches of %d\n%s\nwith batches of 1\n%s", p, batch, log, first)
				}
				if got := r.sorted(""); !slices.Equal(got, results) {
					t.Fatalf("p=%d, batches of %d: %v, want %v", p, batch, got, results)
				}
				if got := r.sorted("late"); !slices.Equal(got, late) {
					t.Fatalf("p=%d, batches of %d: late %v, want %v", p, batch, got, late)
				}
			}
		}
	})
}

func feedInBatches(t fataler, r *rig[fare], values []fare, times []int64, size int, clock plan.SplitClock) {
	for from := 0; from < len(values); from += size {
		to := min(from+size, len(values))
		part := slices.Clone(values[from:to])
		b := &plan.Batch{Values: &part, Times: slices.Clone(times[from:to])}
		if err := clock.Observe(b); err != nil {
			t.Fatalf("%v", err)
		}
		r.feed(part, b.Times, b.Marks...)
	}
	r.finish()
}

// granularTwin takes the watermark after every record, rounded to the granularity, and asks the dumb twin.
func granularTwin(values []fare, times []int64, bound, granularity, lateness int64) (results, late []string) {
	w := newTwin(10, 0, lateness)
	everyone := messages.KeyGroupRange{To: plan.DefaultMaxParallelism}
	greatest := times[0]
	for i, f := range values {
		w.record(f, times[i])
		greatest = max(greatest, times[i])
		w.mark(floorDiv(greatest-bound, granularity)*granularity-1, everyone)
	}
	w.mark(messages.MaxWatermark, everyone)
	slices.Sort(w.results)
	slices.Sort(w.late)
	return w.results, w.late
}

// S38: what event time makes of an input does not depend on the speed at which it comes; processing time is the
// operator's clock, and does.
func TestS38_SpeedChangesProcessingTimeOnly(t *testing.T) {
	windows := func(perRecord int64) string {
		r := newRig(t, 2, tips(0, true))
		for i := range int64(50) {
			r.tick(i * perRecord)
			r.feed([]fare{{fmt.Sprint(i % 3), 1}}, []int64{i * 7 % 40}, at(1, i/2))
		}
		r.finish()
		return r.log("") + r.log("late")
	}
	if slow, fast := windows(1000), windows(0); slow != fast {
		t.Fatalf("slowly:\n%s\nfast:\n%s", slow, fast)
	}
	timers := func(perRecord int64) string {
		r := newRig(t, 1, scripted)
		for i := range int64(5) {
			r.tick(i * perRecord)
			r.record(fmt.Sprintf("a ptimer %d", i*10), i)
		}
		return r.log("")
	}
	if slow, fast := timers(1000), timers(0); slow == fast {
		t.Fatalf("processing time does not follow the clock:\n%s", slow)
	}
}
