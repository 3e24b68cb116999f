package operators_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/plan"
)

// S23, S94, S99, S103 and S110 for calls that are under way, and what
// AsyncOptions promise: a script each under testdata/async. "start" takes
// ordered, p=, capacity=, timeout=, aside or instead (OnTimeout), attempts=,
// backoff=, maxbackoff= and busyonly (Retry.If). The lines are, all but "pass"
// and "restore" for subtask 0 unless they begin with its index and a colon:
//
//	in 1@5 2@6 wm 9     a batch: records 1 and 2 with their times, then a watermark
//	ok 1, none 1        the call for 1 comes back with the results 11 and 12, or none
//	busy 1, gone 1      it comes back with an error
//	panic 1             it panics
//	pass 20             processing time is 20
//	end                 the last watermark
//	restore 2           a snapshot, restored at parallelism 2
//	state               what is under way
func TestAsyncScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/async", func(t *testing.T, path string) {
		var r *asyncRig
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "start" {
				r = startAsync(t, d)
			}
			var out strings.Builder
			for _, line := range strings.Split(strings.TrimSpace(d.Input), "\n") {
				fmt.Fprintln(&out, line)
				if err := r.line(line); err != nil {
					fmt.Fprintf(&out, "  failure%s: %v\n", r.failedAt(), err)
				}
				for _, said := range r.log {
					fmt.Fprintf(&out, "  %s\n", said)
				}
				r.log = nil
			}
			return out.String()
		})
	})
}

func startAsync(t *testing.T, d *datadriven.TestData) *asyncRig {
	r := &asyncRig{t: t, ordered: d.HasArg("ordered")}
	p, timeout, backoff, most := 1, 0, 0, 0
	d.MaybeScanArgs(t, "p", &p)
	d.MaybeScanArgs(t, "capacity", &r.options.Capacity)
	d.MaybeScanArgs(t, "timeout", &timeout)
	d.MaybeScanArgs(t, "attempts", &r.options.Retry.Attempts)
	d.MaybeScanArgs(t, "backoff", &backoff)
	d.MaybeScanArgs(t, "maxbackoff", &most)
	r.options.Timeout, r.options.Retry.Backoff, r.options.Retry.MaxBackoff = asyncMs(timeout), asyncMs(backoff), asyncMs(most)
	if d.HasArg("aside") {
		r.options.OnTimeout = operators.TimeoutToSide(asyncAside)
	}
	if d.HasArg("instead") {
		r.options.OnTimeout = operators.TimeoutResult(func(v int64) ([]int64, error) { return []int64{-v}, nil })
	}
	if d.HasArg("busyonly") {
		r.options.Retry.If = func(err error) bool { return err == errAsyncBusy }
	}
	r.start(p, nil)
	return r
}

func asyncMs(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// line runs one line of a script.
func (r *asyncRig) line(line string) error {
	task := r.tasks[0]
	if index, rest, ok := strings.Cut(line, ": "); ok {
		task, line = r.tasks[asyncNumber(index)], rest
	}
	verb, arg, _ := strings.Cut(line, " ")
	switch verb {
	case "in":
		return task.batch(asyncBatch(arg))
	case "end":
		return task.batch(nil, nil, messages.MaxWatermark)
	case "pass":
		return r.pass(asyncNumber(arg))
	case "restore":
		r.start(int(asyncNumber(arg)), r.snapshot())
		for _, t := range r.tasks {
			r.say(t, "begins at %s", asyncTime(t.begun))
		}
		return nil
	case "state":
		for _, t := range r.tasks {
			r.say(t, "%s", t.state())
		}
		return nil
	}
	return task.answer(asyncNumber(arg), asyncAnswers[verb])
}

// asyncAnswers are what a call may give.
var asyncAnswers = map[string]func(int64) ([]int64, error){
	"ok":    func(v int64) ([]int64, error) { return []int64{10*v + 1, 10*v + 2}, nil },
	"none":  func(int64) ([]int64, error) { return nil, nil },
	"busy":  func(int64) ([]int64, error) { return nil, errAsyncBusy },
	"gone":  func(int64) ([]int64, error) { return nil, errAsyncGone },
	"panic": func(int64) ([]int64, error) { panic("no service") },
}

// asyncBatch reads "1@5 2@6 wm 9".
func asyncBatch(text string) (values, times []int64, watermark int64) {
	records, wm, marked := strings.Cut(text, "wm ")
	watermark = messages.NoWatermark
	if marked {
		watermark = asyncNumber(wm)
	}
	for _, f := range strings.Fields(records) {
		v, at, _ := strings.Cut(f, "@")
		values, times = append(values, asyncNumber(v)), append(times, asyncNumber(at))
	}
	return values, times, watermark
}

func asyncNumber(text string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

// failedAt names the record that a failure would name.
func (r *asyncRig) failedAt() string {
	i := slices.IndexFunc(r.tasks, func(t *asyncTask) bool { _, _, _, ok := t.instance.(plan.RecordCursor).Cursor(); return ok })
	if i < 0 {
		return ""
	}
	time, _, _, _ := r.tasks[i].instance.(plan.RecordCursor).Cursor()
	return fmt.Sprintf(" at the record of %s", asyncTime(time))
}
