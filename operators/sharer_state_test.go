package operators_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/operatortest"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence"
)

func slidingBy(size, slide time.Duration) func(k *operators.KeyedStream[string, visit]) visitWindows {
	return func(k *operators.KeyedStream[string, visit]) visitWindows {
		return k.Window(operators.Sliding(size, slide))
	}
}

func harnessOf(t *testing.T, cut func(k *operators.KeyedStream[string, visit]) visitWindows) *operatortest.Harness[visit, visit] {
	return operatortest.Keyed(t, func(in *operators.Stream[visit]) *operators.Stream[visit] {
		return processVisits(cut(operators.KeyBy(in, pageOf)))
	})
}

// S60, S68: 24 h by 15 min puts each of N records into 96 windows; in state there are N, and one timer a key
// whatever the trigger registers at the end of windows. At the end there is nothing.
func TestS68_RecordsAreStoredOnce(t *testing.T) {
	day := slidingBy(24*time.Hour, 15*time.Minute)
	for name, cut := range map[string]func(k *operators.KeyedStream[string, visit]) visitWindows{
		"default": day,
		"trigger": func(k *operators.KeyedStream[string, visit]) visitWindows {
			return operators.Triggered(day(k), operators.Trigger[visit, operators.EarlyState](operators.AfterWatermark[visit]()))
		},
		"evictor": func(k *operators.KeyedStream[string, visit]) visitWindows {
			return day(k).Evict(operators.KeepLast[visit](7))
		},
		"clock": func(k *operators.KeyedStream[string, visit]) visitWindows {
			return k.Window(operators.Sliding(24*time.Hour, 15*time.Minute).ProcessingTime())
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := harnessOf(t, cut)
			for i := range int64(20) {
				h.Process(visit{[]string{"a", "b"}[i%2], i}, i*time.Hour.Milliseconds()/10)
			}
			if n, state, timers := h.Counter("window_assignments"), h.StateSize(), h.Timers(); n != 20*96 || state != 20 || timers != 2 {
				t.Errorf("%d assignments, want 1920; %d entries in state, want 20; %d timers, want 2", n, state, timers)
			}
			h.AdvanceProcessingTime(25 * time.Hour)
			h.End()
			out := h.Output()
			shown := 0
			for _, r := range out {
				shown += int(r.Value.N)
			}
			want := 20 * 96
			if name == "evictor" {
				want = newestOf(7, 0) + newestOf(7, 6)
			}
			if shown != want {
				t.Errorf("windows have shown %d records, want %d", shown, want)
			}
			if n := h.StateSize() + h.Timers(); n != 0 {
				t.Errorf("%d entries and timers left", n)
			}
		})
	}
}

// newestOf is how many records windows of a day by a quarter of an hour show that keep
// the newest few of ten, one every twelve minutes from a minute on.
func newestOf(few, minute int) (shown int) {
	for start := -96; start < 96; start++ { // quarters of an hour
		in := 0
		for i := range 10 {
			if at := minute + i*12; at >= start*15 && at < (start+96)*15 { // minutes
				in++
			}
		}
		shown += min(in, few)
	}
	return shown
}

// S64, S66: another allowed lateness at a restore holds from then on, longer or shorter: nothing fires twice, nothing is
// lost, and nothing stays.
func TestS66_LatenessChangedAtRestore(t *testing.T) {
	for name, lateness := range map[string][2]time.Duration{
		"shorter": {10 * time.Millisecond, 0}, "longer": {0, 10 * time.Millisecond}, "a little shorter": {20 * time.Millisecond, 10 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			allowed := lateness[0]
			h := harnessOf(t, func(k *operators.KeyedStream[string, visit]) visitWindows {
				return slidingBy(10*time.Millisecond, 5*time.Millisecond)(k).AllowedLateness(allowed)
			})
			h.Process(visit{"a", 1}, 12)
			h.Watermark(20)
			h.Process(visit{"a", 2}, 21)
			s := h.Snapshot()
			allowed = lateness[1]
			h.Restore(s, 1)
			for i := int64(31); i < 200; i += 20 {
				h.Process(visit{"a", i}, i)
				h.Watermark(i)
			}
			h.End()
			if fired, gone := firedAndGone(h); fired != 2+2*10 || gone != fired {
				t.Errorf("%d windows fired, %d went; want two of each of eleven records", fired, gone)
			}
			if n := h.StateSize() + h.Timers(); n != 0 {
				t.Errorf("%d entries and timers left", n)
			}
		})
	}
}

// firedAndGone counts what processVisits has emitted when a window fired, and when it went.
func firedAndGone(h *operatortest.Harness[visit, visit]) (fired, gone int) {
	for _, r := range h.Output() {
		if r.Value.N > 0 {
			fired++
		} else {
			gone++
		}
	}
	return fired, gone
}

// rearming is a trigger that sets a timer for its window when that goes.
type rearming struct {
	operators.WatermarkTrigger[visit]
}

func (rearming) Clear(c *operators.TriggerContext[operators.EarlyState]) {
	c.RegisterEventTimer(c.Window().MaxTimestamp())
}

// S64: a window that has gone does not fire again, whatever timers its trigger has left.
func TestS64_GoneWindowDoesNotFire(t *testing.T) {
	h := harnessOf(t, func(k *operators.KeyedStream[string, visit]) visitWindows {
		w := slidingBy(10*time.Millisecond, 5*time.Millisecond)(k)
		return operators.Triggered(w, operators.Trigger[visit, operators.EarlyState](rearming{})).AllowedLateness(3 * time.Millisecond)
	})
	h.Process(visit{"a", 1}, 7)
	h.Process(visit{"a", 2}, 12)
	for _, at := range []int64{9, 12, 14, 17, 19, 22, 40} {
		h.Watermark(at)
	}
	h.End()
	if fired, gone := firedAndGone(h); fired != 3 || gone != 3 {
		t.Errorf("%d windows fired, %d went; want each of three once", fired, gone)
	}
	if n := h.StateSize() + h.Timers(); n != 0 {
		t.Errorf("%d entries and timers left", n)
	}
}

// S59: what all windows have purged, or evicted, is not kept until they end.
func TestS59_PurgedRecordsGo(t *testing.T) {
	hour := slidingBy(time.Hour, 15*time.Minute)
	count := operators.Trigger[visit, int64](operators.Count[visit](10))
	for name, cut := range map[string]func(k *operators.KeyedStream[string, visit]) visitWindows{
		"purging": func(k *operators.KeyedStream[string, visit]) visitWindows {
			return operators.Triggered(hour(k), operators.Purging(count))
		},
		"evictor": func(k *operators.KeyedStream[string, visit]) visitWindows {
			return operators.Triggered(hour(k), count).Evict(operators.KeepLast[visit](10))
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := harnessOf(t, cut)
			for i := range int64(1000) {
				h.Process(visit{"a", i}, i)
			}
			// 20 records, four windows with a view and a count each.
			if n := h.StateSize(); n > 20+2*4 {
				t.Errorf("%d entries in state of 1000 records, of which windows show the last 10", n)
			}
			if out := h.Output(); len(out) != 400 || out[399].Value.N != 10 {
				t.Errorf("%d results, want 400: each 10th record of 4 windows; the last one %v", len(out), out[len(out)-1])
			}
			h.End()
			if n := h.StateSize() + h.Timers(); n != 0 {
				t.Errorf("%d entries and timers left", n)
			}
		})
	}
}

// deleting is a trigger that deletes the timer that ends its window, and leaves one
// behind the end.
type deleting struct{ operators.CountTrigger[visit] }

func (deleting) OnElement(c *operators.TriggerContext[int64], _ visit, _ int64) operators.TriggerResult {
	c.DeleteEventTimer(c.Window().MaxTimestamp())
	c.RegisterEventTimer(c.Window().End + 100)
	return operators.Continue
}

func (deleting) OnEventTime(c *operators.TriggerContext[int64], _ int64) operators.TriggerResult {
	*c.State++
	return operators.FireAndPurge
}

// S59: a trigger neither keeps its window by deleting a timer, nor brings it back by one that it has left.
func TestS59_TriggerDoesNotKeepItsWindow(t *testing.T) {
	for _, w := range []operators.Windows{operators.Tumbling(millis(10)), operators.Sliding(millis(10), millis(5))} {
		h := harnessOf(t, func(k *operators.KeyedStream[string, visit]) visitWindows {
			return operators.Triggered(k.Window(w), operators.Trigger[visit, int64](deleting{operators.Count[visit](1)}))
		})
		h.Process(visit{"a", 1}, 7)
		h.Watermark(9)
		want := "{a [0,10) on time [{{a 1} 7}] 1} {a [0,10) gone 0}"
		if got := inOrder(h.Output()); got != want {
			t.Errorf("%v: at the end of the window\n%s\nwant\n%s", w, got, want)
		}
		h.End()
		if n := h.StateSize() + h.Timers(); n != 0 {
			t.Errorf("%v: %d entries and timers left", w, n)
		}
	}
}

// inOrder is what has come out, in its order.
func inOrder(records []operatortest.Record[visit]) string {
	var all []string
	for _, r := range records {
		all = append(all, fmt.Sprint(r.Value))
	}
	return strings.Join(all, " ")
}

// task is an instance without a harness: its clock can be set back, and its states be
// read and written by hand.
type task struct {
	t        *testing.T
	instance plan.Instance
	states   []persistence.State
	now      int64
	timer    int64 // the earliest that it has asked for
	outs     []visit
}

// nowhereVisits is a sink that nobody opens.
type nowhereVisits struct{}

func (nowhereVisits) Kind() operators.SinkKind { return operators.Plain }

func (nowhereVisits) Open(context.Context, operators.SinkContext) (operators.Writer[visit], error) {
	return nil, errors.ErrUnsupported
}

// taskOf opens an operator over what cut makes of visits.
func taskOf(t *testing.T, cut func(k *operators.KeyedStream[string, visit]) visitWindows) *task {
	t.Helper()
	return taskBy(t, cut, processVisits)
}

func taskBy(t *testing.T, cut func(k *operators.KeyedStream[string, visit]) visitWindows, op func(visitWindows) *operators.Stream[visit]) *task {
	t.Helper()
	top := operators.NewTopology("task")
	in := operators.From(top, "in", operators.Slice[visit](), operators.Monotonous(func(visit) int64 { return 0 }))
	op(cut(operators.KeyBy(in, pageOf))).To("out", nowhereVisits{})
	p, err := top.Build()
	if err != nil {
		t.Fatal(err)
	}
	task := &task{t: t, instance: p.Operator("visits").New(), timer: messages.MaxWatermark}
	task.must(task.instance.Init(&plan.Runtime{
		Operator: "visits", Parallelism: 1, MaxParallelism: p.MaxParallelism, Groups: messages.KeyGroupsOf(0, 1, p.MaxParallelism), Attempt: 1,
		Context: context.Background(), Now: func() int64 { return task.now }, SetTimer: func(at int64) { task.timer = min(task.timer, at) }, Step: func(string) {},
		Watermark: func() int64 { return messages.NoWatermark },
		Output:    func(string) plan.Output { return task },
		Register:  func(s persistence.State) error { task.states = append(task.states, s); return nil },
		Counter:   func(string) *plan.Counter { return new(plan.Counter) },
	}))
	task.must(task.instance.Open())
	return task
}

func (task *task) must(err error) {
	task.t.Helper()
	if err != nil {
		task.t.Fatal(err)
	}
}

func (task *task) Push(b *plan.Batch) error {
	task.outs = append(task.outs, *b.Values.(*[]visit)...)
	return nil
}

func (task *task) bring(page string, n, ms int64) {
	task.t.Helper()
	task.must(task.instance.Process(0, &plan.Batch{Values: &[]visit{{page, n}}, Times: []int64{ms}}))
}

// process brings any record.
func (task *task) process(ms int64) error {
	return task.instance.Process(0, &plan.Batch{Values: &[]visit{{"a", 1}}, Times: []int64{ms}})
}

func (task *task) mark(watermark int64) {
	task.t.Helper()
	task.must(task.instance.Process(0, (&plan.Batch{Values: &[]visit{}}).WithMark(watermark)))
}

// tick sets the clock and has what is due fire, if the task has asked for that.
func (task *task) tick(now int64) string {
	task.t.Helper()
	if task.now = now; task.timer <= now {
		task.timer = messages.MaxWatermark
		task.must(task.instance.(plan.ProcessingTimer).OnProcessingTime(now))
	}
	defer func() { task.outs = nil }()
	return fmt.Sprint(task.outs)
}

// S55: the clock of a node may be set back, or be that of another node after a restart. Windows that have gone begin
// anew without what was in them; those that are open keep it.
func TestS55_ClockSetBack(t *testing.T) {
	task := taskOf(t, func(k *operators.KeyedStream[string, visit]) visitWindows {
		return k.Window(operators.Sliding(millis(4), millis(2)).ProcessingTime())
	})
	expect := func(now int64, want string) {
		t.Helper()
		if got := task.tick(now); got != want {
			t.Errorf("at %d: %s, want %s", now, got, want)
		}
	}
	expect(5, "[]")
	task.mark(messages.MaxEventTime) // which is of no concern to them
	task.bring("a", 1, operators.NoTime)
	expect(5, fmt.Sprintf("[{a [2,6) on time [{{a 1} %d}] 1} {a [2,6) gone 0}]", operators.NoTime))
	expect(3, "[]")
	task.bring("a", 2, 7)
	expect(3, "[{a [0,4) on time [{{a 2} 7}] 1} {a [0,4) gone 0}]")
	task.bring("a", 3, 8)
	expect(5, "[{a [0,4) on time [{{a 3} 8}] 1} {a [0,4) gone 0} {a [2,6) on time [{{a 2} 7} {{a 3} 8}] 2} {a [2,6) gone 0}]")
	expect(7, fmt.Sprintf("[{a [4,8) on time [{{a 1} %d}] 1} {a [4,8) gone 0}]", operators.NoTime))
	expect(15, "[]")
	task.bring("b", 4, 9)
	expect(15, "[{b [12,16) on time [{{b 4} 9}] 1} {b [12,16) gone 0}]")
	expect(11, "[]")
	task.bring("b", 5, 10) // between the two there is a window that has gone, and in which nothing is
	expect(13, "[{b [8,12) on time [{{b 5} 10}] 1} {b [8,12) gone 0} {b [10,14) on time [{{b 5} 10}] 1} {b [10,14) gone 0}]")
	expect(20, "[{b [14,18) on time [{{b 4} 9}] 1} {b [14,18) gone 0}]")
	if task.states[0].Len() != 0 {
		t.Errorf("%d entries left", task.states[0].Len())
	}
}

// written is what a frozen state writes of all its key groups.
func written(t *testing.T, f persistence.Frozen) (all [][]byte) {
	for g := range messages.KeyGroup(plan.DefaultMaxParallelism) {
		var b bytes.Buffer
		if _, err := f.WriteGroup(g, &b); err != nil {
			t.Error(err)
		}
		all = append(all, b.Bytes())
	}
	return all
}

// everything has sliding windows use all that their state can hold, but for what is of
// processing time.
func everything(k *operators.KeyedStream[string, visit]) visitWindows {
	w := operators.Triggered(k.Window(operators.Sliding(millis(20), millis(5))), operators.Trigger[visit, operators.EarlyState](wilful{}))
	return w.AllowedLateness(millis(10)).Evict(evictOdd{})
}

func ofTheClock(k *operators.KeyedStream[string, visit]) visitWindows {
	return k.Window(operators.Sliding(millis(20), millis(5)).ProcessingTime())
}

// evictOdd evicts odd numbers, and turns round what has a 4 in front.
type evictOdd struct{}

func (evictOdd) EvictBefore(es []operators.Element[visit], _ operators.EvictContext) []operators.Element[visit] {
	return es
}

func (evictOdd) EvictAfter(es []operators.Element[visit], _ operators.EvictContext) []operators.Element[visit] {
	if len(es) > 0 && es[0].Value.N == 4 {
		slices.Reverse(es)
	}
	return slices.DeleteFunc(es, func(e operators.Element[visit]) bool { return e.Value.N%2 == 1 })
}

func (task *task) bringAll(from int64) {
	for i := range int64(400) {
		task.bring([]string{"a", "b", "c"}[i%3], (i*7+from)%10, from+i/3-(i*5)%11)
		if i%40 == 39 {
			task.mark(from + i/3 - 12)
		}
	}
}

// S93, S99: what a barrier has frozen is written while records come, windows fire and evict and records are dropped.
func TestSharedRowsAreFrozen(t *testing.T) {
	task := taskOf(t, everything)
	task.bringAll(0)
	var frozen []persistence.Frozen
	var before [][][]byte
	for _, s := range task.states {
		frozen = append(frozen, s.Freeze())
		before = append(before, written(t, frozen[len(frozen)-1]))
	}
	var w sync.WaitGroup
	for i, f := range frozen {
		w.Go(func() {
			for range 3 {
				if after := written(t, f); !slices.EqualFunc(before[i], after, bytes.Equal) {
					t.Errorf("state %q has changed since it was frozen", task.states[i].Schema().Name)
				}
			}
		})
	}
	task.bringAll(150)
	task.mark(messages.MaxWatermark)
	task.tick(messages.MaxEventTime) // what the trigger has left
	w.Wait()
	for i, s := range task.states {
		if after := written(t, frozen[i]); s.Len() != 0 || !slices.EqualFunc(before[i], after, bytes.Equal) {
			t.Errorf("state %q: %d entries at the end, or not what was frozen", s.Schema().Name, s.Len())
		}
		frozen[i].Release()
	}
}

// State that is cut short is refused, wherever the cut is; whole it is read as it was.
func TestSharedStateCutShort(t *testing.T) {
	from := taskOf(t, everything)
	from.bringAll(0)
	cutShort(t, from, taskOf(t, everything))
	from = taskOf(t, ofTheClock)
	for range 3 {
		from.bringAll(0)
		from.tick(from.now + 9)
	}
	cutShort(t, from, taskOf(t, ofTheClock))
}

func cutShort(t *testing.T, from, to *task) {
	t.Helper()
	for i, s := range from.states[:2] {
		f := s.Freeze()
		for g, block := range written(t, f) {
			if len(block) == 0 {
				continue
			}
			for cut := 8; cut < len(block); cut++ {
				short := slices.Clone(block[:cut])
				binary.LittleEndian.PutUint32(short[4:], uint32(cut-8))
				if err := to.states[i].ReadGroup(messages.KeyGroup(g), bytes.NewReader(short)); err == nil {
					t.Fatalf("state %q: %d of %d bytes are read as a whole", s.Schema().Name, cut, len(block))
				}
			}
			to.must(to.states[i].ReadGroup(messages.KeyGroup(g), bytes.NewReader(block)))
		}
		again := to.states[i].Freeze()
		if !slices.EqualFunc(written(t, f), written(t, again), bytes.Equal) {
			t.Errorf("state %q is not what was written", s.Schema().Name)
		}
		f.Release()
		again.Release()
	}
}

// An error of the function stops the operator, whatever has the window fire.
func TestSharedWindowFails(t *testing.T) {
	by := operators.Sliding(millis(10), millis(5))
	count := operators.Trigger[visit, int64](operators.Count[visit](1))
	for name, test := range map[string]struct {
		cut func(k *operators.KeyedStream[string, visit]) visitWindows
		run func(task *task) error
	}{
		"watermark": {
			func(k *operators.KeyedStream[string, visit]) visitWindows { return k.Window(by) },
			func(task *task) error {
				task.must(task.process(3))
				return task.instance.Process(0, (&plan.Batch{Values: &[]visit{}}).WithMark(20))
			},
		},
		"late": {
			func(k *operators.KeyedStream[string, visit]) visitWindows {
				return k.Window(by).AllowedLateness(millis(100))
			},
			func(task *task) error {
				task.mark(20)
				return task.process(3)
			},
		},
		"trigger": {
			func(k *operators.KeyedStream[string, visit]) visitWindows {
				return operators.Triggered(k.Window(by), count)
			},
			func(task *task) error { return task.process(3) },
		},
		"evictor": {
			func(k *operators.KeyedStream[string, visit]) visitWindows {
				return operators.Triggered(k.Window(by), count).Evict(operators.KeepLast[visit](1))
			},
			func(task *task) error { return task.process(3) },
		},
		"clock": {
			func(k *operators.KeyedStream[string, visit]) visitWindows { return k.Window(by.ProcessingTime()) },
			func(task *task) error {
				task.must(task.process(3))
				return task.instance.(plan.ProcessingTimer).OnProcessingTime(100)
			},
		},
	} {
		task := taskBy(t, test.cut, func(w visitWindows) *operators.Stream[visit] {
			return operators.ProcessWindow(w, "visits", func(*operators.WindowStates[string]) refusing { return refusing{} })
		})
		if err := test.run(task); !errors.Is(err, errRefused) {
			t.Errorf("%s: %v, want that the function refused", name, err)
		}
		if err := task.process(operators.NoTime); name != "clock" && (err == nil || !strings.Contains(err.Error(), "time")) {
			t.Errorf("%s: a record without a time: %v", name, err)
		}
	}
}

var errRefused = errors.New("refused")

// refusing is a function that fails.
type refusing struct{}

func (refusing) Process(*operators.WindowContext[string, visit], []operators.Element[visit]) error {
	return errRefused
}
