package checkpoint

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
)

// TestRandomRuns lets chance play workers, network and store, and holds every
// action against a second, dumb record of what has happened: S10, S13, S17,
// S24, S30, S98. Then faults end, and the job must too.
func TestRandomRuns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for range rapid.IntRange(10, 300).Draw(t, "steps") {
			w.disturb()
		}
		w.heal()
	})
}

// answer is a CheckpointCommitted on its way.
type answer struct {
	subtask messages.SubtaskID
	id      messages.CheckpointID
}

type world struct {
	t       *rapid.T
	p       *Protocol
	now     time.Time
	regions [][]messages.SubtaskID

	up        []bool
	open      messages.CheckpointID       // triggered, neither aborted nor published
	asked     bool                        // the store is asked to publish open
	acked     map[messages.SubtaskID]bool // with the word whether it had finished
	greatest  messages.CheckpointID
	published messages.CheckpointID
	answers   []answer
	committed map[messages.SubtaskID]messages.CheckpointID
	settled   messages.CheckpointID
	finished  map[messages.SubtaskID]bool
	done      bool
}

func newWorld(t *rapid.T) *world {
	w := &world{t: t, now: epoch, committed: map[messages.SubtaskID]messages.CheckpointID{}, finished: map[messages.SubtaskID]bool{}}
	for r := range rapid.IntRange(1, 3).Draw(t, "regions") {
		var region []messages.SubtaskID
		for i := range rapid.IntRange(1, 3).Draw(t, "subtasks") {
			region = append(region, messages.SubtaskID{Chain: messages.OperatorID(fmt.Sprint("op", r)), Index: i})
		}
		w.regions = append(w.regions, region)
	}
	w.up = make([]bool, len(w.regions))
	w.p = New(Config{
		Interval: 10 * time.Second, MinPause: time.Second, Timeout: 20 * time.Second, CommitRetry: 3 * time.Second,
		Tolerable: rapid.IntRange(-1, 2).Draw(t, "tolerable"),
	}, w.regions)
	return w
}

// disturb does one thing that may happen to a coordinator.
func (w *world) disturb() {
	r := rapid.IntRange(0, len(w.regions)-1).Draw(w.t, "region")
	s := rapid.SampledFrom(w.regions[r]).Draw(w.t, "subtask")
	switch rapid.SampledFrom([]string{"time", "time", "ack", "ack", "ack", "decline", "store", "store", "up", "up", "down", "answer", "answer", "finish", "request"}).Draw(w.t, "event") {
	case "time":
		w.pass(time.Duration(rapid.IntRange(1, 15).Draw(w.t, "seconds")) * time.Second)
	case "ack":
		w.ack(r, s)
	case "decline":
		w.check(w.p.Decline(w.now, w.open, s, "no"))
	case "store":
		w.store(rapid.Bool().Draw(w.t, "ok"))
	case "up":
		w.start(r)
	case "down":
		w.stop(r)
	case "answer":
		w.deliver(rapid.Bool().Draw(w.t, "lost"))
	case "finish":
		w.finish(r, s)
	case "request":
		w.check(w.p.Request(w.now))
	}
}

// heal ends all faults; the job must end with all that is decided committed.
func (w *world) heal() {
	for range 1000 {
		if w.done {
			break
		}
		w.store(true)
		for r, region := range w.regions {
			w.start(r)
			for _, s := range region {
				w.finish(r, s)
				w.ack(r, s)
			}
		}
		for len(w.answers) > 0 {
			w.deliver(false)
		}
		w.pass(time.Second)
	}
	if !w.done {
		w.t.Fatalf("the job does not end: %+v", w.p)
	}
}

func (w *world) pass(d time.Duration) {
	w.now = w.now.Add(d)
	w.check(w.p.Tick(w.now))
	if due := w.p.Due(); !due.IsZero() && !due.After(w.now) {
		w.t.Fatalf("after a tick at %v another is due at %v", w.now.Sub(epoch), due.Sub(epoch))
	}
}

func (w *world) ack(r int, s messages.SubtaskID) {
	if w.open == 0 || !w.up[r] || w.asked {
		return
	}
	if _, again := w.acked[s]; !again {
		w.acked[s] = w.finished[s]
	}
	w.check(w.p.Ack(w.now, w.open, &messages.SubtaskSnapshot{Subtask: s.Proto(), Finished: w.acked[s]}))
}

func (w *world) store(ok bool) {
	if !w.asked {
		return
	}
	id := w.open
	w.asked = false
	if !ok {
		w.check(w.p.PublishFailed(w.now, id, "full"))
		return
	}
	w.published, w.open = id, 0
	w.check(w.p.Published(w.now, id))
}

// start brings a region up; its claim waits for the store's answer, so it never
// comes up while a checkpoint is being decided.
func (w *world) start(r int) {
	if w.up[r] || w.asked {
		return
	}
	w.up[r] = true
	w.check(w.p.RegionUp(w.now, r, w.published, false))
}

func (w *world) stop(r int) {
	if w.up[r] {
		w.fall(r)
		w.check(w.p.RegionDown(w.now, r, "killed"))
	}
}

// fall forgets what died with a region's attempt.
func (w *world) fall(r int) {
	w.up[r] = false
	w.answers = slices.DeleteFunc(w.answers, func(a answer) bool { return slices.Contains(w.regions[r], a.subtask) })
	for _, s := range w.regions[r] {
		delete(w.finished, s)
	}
}

func (w *world) finish(r int, s messages.SubtaskID) {
	if w.up[r] {
		w.finished[s] = true
		w.check(w.p.Finished(w.now, s))
	}
}

func (w *world) deliver(lost bool) {
	if len(w.answers) == 0 {
		return
	}
	a := w.answers[0]
	w.answers = w.answers[1:]
	if lost {
		return
	}
	w.committed[a.subtask] = max(w.committed[a.subtask], a.id)
	w.check(w.p.Committed(w.now, a.id, a.subtask, nil))
}

func (w *world) check(actions []Action) {
	for _, a := range actions {
		switch a := a.(type) {
		case Trigger:
			w.require(w.open == 0 && !w.done, a, "one checkpoint at a time, none after the end")
			w.require(a.ID > w.greatest, a, "ids strictly increase")
			w.require(!slices.Contains(w.up, false), a, "every region runs")
			w.open, w.greatest, w.acked = a.ID, a.ID, map[messages.SubtaskID]bool{}
		case Publish:
			w.require(a.ID == w.open && !w.asked, a, "it is under way")
			w.require(w.all(func(s messages.SubtaskID) bool { _, ok := w.acked[s]; return ok }), a, "every subtask has acked")
			w.require(a.Final == w.all(func(s messages.SubtaskID) bool { return w.acked[s] }), a, "final means all had finished")
			w.asked = true
		case Complete:
			w.require(a.ID != 0 && a.ID == w.published, a, "it is the newest published")
			w.complete(a)
		case Abort:
			w.require(a.ID == w.open && a.ID != w.published && !w.asked, a, "it is not decided")
			w.open = 0
		case Settled:
			w.require(a.ID > w.settled && a.ID <= w.published, a, "it is published, and news")
			w.require(w.all(func(s messages.SubtaskID) bool { return w.committed[s] >= a.ID }), a, "every subtask has answered")
			w.settled = a.ID
		case GiveUp:
			for r := range w.regions {
				w.fall(r)
			}
		case Done:
			w.require(a.ID == w.published && w.settled == a.ID && !w.done, a, "the last is settled")
			w.done = true
		}
	}
}

func (w *world) complete(a Complete) {
	for _, r := range a.Regions {
		w.require(w.up[r], a, "its regions run")
		for _, s := range w.regions[r] {
			w.answers = append(w.answers, answer{s, a.ID})
		}
	}
}

func (w *world) all(holds func(messages.SubtaskID) bool) bool {
	for _, region := range w.regions {
		for _, s := range region {
			if !holds(s) {
				return false
			}
		}
	}
	return true
}

func (w *world) require(ok bool, a Action, rule string) {
	if !ok {
		w.t.Fatalf("%v breaks %q; open %d asked %v published %d", a, rule, w.open, w.asked, w.published)
	}
}

// S21: over a time T there are T/interval checkpoints, one more or less, when
// each is shorter than the interval, and their ids strictly increase.
func TestS21_TriggerCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		interval := time.Duration(rapid.IntRange(100, 10_000).Draw(t, "interval_ms")) * time.Millisecond
		p := New(Config{Interval: interval, Timeout: time.Hour, CommitRetry: time.Hour}, [][]messages.SubtaskID{{{Chain: "a"}}})
		p.RegionUp(epoch, 0, 0, false)
		total := time.Duration(rapid.IntRange(1, 100).Draw(t, "intervals"))*interval + interval/2
		var ids []messages.CheckpointID
		for now := p.Due(); now.Sub(epoch) <= total; now = p.Due() {
			for _, a := range p.Tick(now) {
				id := a.(Trigger).ID
				ids = append(ids, id)
				now = now.Add(time.Duration(rapid.Int64Range(0, int64(interval)-1).Draw(t, "took")))
				p.Ack(now, id, &messages.SubtaskSnapshot{Subtask: messages.SubtaskID{Chain: "a"}.Proto()})
				p.Published(now, id)
				p.Committed(now, id, messages.SubtaskID{Chain: "a"}, nil)
			}
		}
		if want := int(total / interval); len(ids) < want-1 || len(ids) > want+1 {
			t.Fatalf("%d checkpoints in %v at %v, want %d±1", len(ids), total, interval, want)
		}
		if !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) {
			t.Fatalf("ids do not strictly increase: %v", ids)
		}
	})
}

// S95: the newest n stay while the job runs (the log's Retain deletes); a
// cancel deletes all unless they are retained, and neither a failure nor a stop
// nor an end does. What is decided but not committed is never deleted.
func TestS95_Retention(t *testing.T) {
	for _, c := range []struct {
		onCancel  bool
		end       End
		unsettled bool
		want      bool
	}{
		{false, Canceled, false, true},
		{true, Canceled, false, false},
		{false, Canceled, true, false},
		{false, Failed, false, false},
		{false, Stopped, false, false},
		{false, Finished, false, false},
	} {
		if got := (Retention{OnCancel: c.onCancel}).DeleteAll(c.end, c.unsettled); got != c.want {
			t.Errorf("%+v: got %v", c, got)
		}
	}
}

// TestOwnBugsPanic: orders that only a bug of the coordinator can give.
func TestOwnBugsPanic(t *testing.T) {
	for name, f := range map[string]func(p *Protocol){
		"outcome of nothing": func(p *Protocol) { p.Published(epoch, 1) },
		"up twice":           func(p *Protocol) { p.RegionUp(epoch, 0, 0, false); p.RegionUp(epoch, 0, 0, false) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f(New(Config{}, [][]messages.SubtaskID{{{Chain: "a"}}}))
		})
	}
}
