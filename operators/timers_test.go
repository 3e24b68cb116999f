package operators

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
)

// timerTwin is the dumb version of timers: a list, searched through at every step.
type timerTwin struct {
	pending []twinTimer
	clock   int64 // watermark
	fired   []string
}

type twinTimer struct {
	key    string
	at     int64
	domain Domain
}

func (w *timerTwin) register(t twinTimer) {
	if !slices.Contains(w.pending, t) {
		w.pending = append(w.pending, t)
	}
}

func (w *timerTwin) delete(t twinTimer) {
	w.pending = slices.DeleteFunc(w.pending, func(p twinTimer) bool { return p == t })
}

// fire takes what is due, a time after the other.
func (w *timerTwin) fire(d Domain, now int64) {
	for at := int64(-100); at <= min(now, 1000); at++ {
		for _, t := range slices.Clone(w.pending) {
			if t.domain == d && t.at == at {
				w.delete(t)
				w.fired = append(w.fired, fmt.Sprintf("%03d %s %v", at+100, t.key, d))
			}
		}
	}
}

// S78, border 6: with any registrations and deletions, any watermarks and clocks, and restores in between, the
// timers that fire are those of the dumb twin, in the order of their times.
func TestS78_TimersEqualDumbTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, w := newRig(t, 1, scripted), &timerTwin{clock: messages.NoWatermark}
		verbs := map[bool]map[Domain]string{true: {EventTime: "untimer", ProcessingTime: "unptimer"}, false: {EventTime: "timer", ProcessingTime: "ptimer"}}
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			timer := twinTimer{rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key"), rapid.Int64Range(0, 40).Draw(t, "at"), Domain(rapid.IntRange(0, 1).Draw(t, "domain"))}
			what := rapid.IntRange(0, 30).Draw(t, "what")
			switch {
			case what == 0:
				r.rescale(rapid.IntRange(1, 3).Draw(t, "parallelism"))
				r.tick(r.now) // as the runtime does: what is overdue is due at once
			case what == 1 && timer.at > w.clock:
				w.clock = timer.at
				r.mark(timer.at)
				w.fire(EventTime, timer.at)
			case what == 2:
				r.tick(max(r.now, timer.at))
				w.fire(ProcessingTime, r.now)
			case what < 14:
				r.record(fmt.Sprintf("%s %s %d", timer.key, verbs[true][timer.domain], timer.at), 0)
				w.delete(timer)
			default:
				r.record(fmt.Sprintf("%s %s %d", timer.key, verbs[false][timer.domain], timer.at), 0)
				w.register(timer)
				r.tick(r.now)
				w.fire(ProcessingTime, r.now)
			}
			compareFired(t, r, w)
		}
		r.finish()
		w.fire(EventTime, messages.MaxWatermark)
		compareFired(t, r, w)
	})
}

// compareFired compares what fired in one step: the times in order for each subtask, and the set.
func compareFired(t *rapid.T, r *rig[string], w *timerTwin) {
	var got []string
	for _, task := range r.tasks {
		last := int64(-1)
		for _, rec := range task.outputs[""].records {
			text := rec.Value.(string)
			var at int64
			key, rest, _ := strings.Cut(text, "'s timer ")
			at, rest = number(strings.Fields(rest)[0]), rest[strings.Index(rest, "in ")+3:]
			domain, _, _ := strings.Cut(rest, ",")
			if at < last {
				t.Fatalf("timer %d fired behind %d", at, last)
			}
			last = at
			got = append(got, fmt.Sprintf("%03d %s %s", at+100, key, domain))
		}
		task.outputs[""].records = nil
	}
	slices.Sort(got)
	slices.Sort(w.fired)
	if !slices.Equal(got, w.fired) {
		t.Fatalf("fired %v\nwant  %v", got, w.fired)
	}
	w.fired = nil
}

// Timers of one time fire in an order that neither the order of registration nor a restore changes.
func TestTimersOfOneTimeHaveAnOrder(t *testing.T) {
	keys := strings.Split("abcdefghijklmnop", "")
	fire := func(keys []string, restore bool) string {
		r := newRig(t, 1, scripted)
		for _, k := range keys {
			r.record(k+" timer 5", 0)
		}
		if restore {
			r.rescale(1)
			for _, task := range r.tasks {
				task.outputs[""].log = nil
			}
		}
		r.mark(5)
		return r.log("")
	}
	backwards := slices.Clone(keys)
	slices.Reverse(backwards)
	want := fire(keys, false)
	if got := fire(backwards, false); got != want {
		t.Fatalf("registered backwards:\n%s\nwant:\n%s", got, want)
	}
	if got := fire(keys, true); got != want {
		t.Fatalf("restored:\n%s\nwant:\n%s", got, want)
	}
}

// A timer moved on with every record leaves no trail of dead ones behind.
func TestMovedTimersAreForgotten(t *testing.T) {
	r := newRig(t, 1, scripted)
	for i := range int64(10_000) {
		r.record(fmt.Sprintf("a untimer %d", i), 0)
		r.record(fmt.Sprintf("a timer %d", i+1), 0)
	}
	p := r.tasks[0].instance.(*processor[string, string, string])
	if n := p.ctx.timers.queues[EventTime].n; n > 200 {
		t.Fatalf("%d timers queued, one is pending", n)
	}
	if n := r.entries(); n != 1 {
		t.Fatalf("%d timers in state, want 1", n)
	}
	r.mark(9_999)
	wantLog(t, r, "", "-- 9999")
	r.mark(10_000)
	wantLog(t, r, "", lines("a's timer 10000 in event time, clock 10000 @10000", "-- 10000"))
}
