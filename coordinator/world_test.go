package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirflow/weir/actors/env"
	"github.com/weirflow/weir/messages"
)

// world is everything around a coordinator, driven by hand: a clock that moves
// when it is told to, work that runs at once but answers by message, workers
// that answer as fake workers do, and a log in memory. All on one goroutine.
type world struct {
	t      testing.TB
	start  time.Time
	now    time.Time
	j      *job
	log    *fakeLog
	nodes  map[string]*fakeWorker
	splits map[messages.OperatorID]func() ([]string, error)
	// assigned is what each source subtask reads, as it was last told.
	assigned map[messages.SubtaskID][]string
	finished map[messages.SubtaskID]bool
	output   map[messages.SubtaskID][]span // what was committed
	lossy    func() bool                   // drops messages between coordinator and workers; nil: none

	inbox  []any
	timers []*fakeTimer // unordered
	seq    int
	trace  []string
	result *Result
}

type fakeTimer struct {
	at  time.Time
	seq int
	msg any
}

func newWorld(t testing.TB) *world {
	start := time.Unix(1_000_000, 0).UTC()
	w := &world{t: t, start: start, now: start, nodes: map[string]*fakeWorker{}, splits: map[messages.OperatorID]func() ([]string, error){}, assigned: map[messages.SubtaskID][]string{}, finished: map[messages.SubtaskID]bool{}, output: map[messages.SubtaskID][]span{}}
	w.log = &fakeLog{w: w}
	return w
}

// run starts a coordinator in the world; log and workers are those there are.
func (w *world) run(cfg Config) {
	cfg.Env = fakeEnv{w}
	cfg.OpenLog = func(context.Context) (Log, error) { return w.log.open() }
	cfg.Logger = slog.New(traceHandler{w})
	done := cfg.OnDone
	cfg.OnDone = func(r Result) {
		if w.result != nil {
			w.t.Error("OnDone was called twice")
		}
		w.result = &r
		if done != nil {
			done(r)
		}
	}
	if err := cfg.Validate(); err != nil {
		w.t.Fatal(err)
	}
	w.timers, w.inbox, w.result = nil, nil, nil
	w.j = newJob(cfg.withDefaults(), actor.NewPID("coord", "job"), w.send, func(*actor.PID) {})
	w.j.start()
	w.settle()
}

// tell hands a message to the coordinator, and everything that follows of it.
func (w *world) tell(msg any) {
	w.inbox = append(w.inbox, msg)
	w.settle()
}

func (w *world) settle() {
	for len(w.inbox) > 0 {
		msg := w.inbox[0]
		w.inbox = w.inbox[1:]
		w.j.receive(msg)
	}
}

// sleep lets time pass, timer by timer.
func (w *world) sleep(d time.Duration) {
	end := w.now.Add(d)
	for range 1_000_000 {
		next := w.nextTimer(end)
		if next == nil {
			w.now = end
			return
		}
		w.now = next.at
		w.tell(next.msg)
	}
	w.t.Fatal("timers without end")
}

// nextTimer takes the first timer that fires by end.
func (w *world) nextTimer(end time.Time) *fakeTimer {
	if len(w.timers) == 0 {
		return nil
	}
	first := slices.MinFunc(w.timers, func(a, b *fakeTimer) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return a.seq - b.seq
	})
	if first.at.After(end) {
		return nil
	}
	w.cancel(first)
	return first
}

func (w *world) cancel(t *fakeTimer) {
	w.timers = slices.DeleteFunc(w.timers, func(o *fakeTimer) bool { return o == t })
}

// send is the coordinator's: what is said goes into the trace and to its worker.
func (w *world) send(to *actor.PID, msg any) {
	node := to.GetId()
	if text := describe(msg); text != "" {
		w.note("-> %s %s", node, text)
	}
	if f := w.nodes[node]; f != nil && f.pid.Equal(to) {
		f.hear(msg)
	}
}

// list sets what a source lists from now on: names, "error" or "panic".
func (w *world) list(operator messages.OperatorID, names string) {
	w.splits[operator] = func() ([]string, error) {
		switch names {
		case "error":
			return nil, errors.New("no such folder")
		case "panic":
			panic("nil map")
		}
		return strings.Split(names, ","), nil
	}
}

func (w *world) lister(operator messages.OperatorID) func(context.Context) ([]string, error) {
	return func(context.Context) ([]string, error) {
		w.note("list %s", operator)
		return w.splits[operator]()
	}
}

func (w *world) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%v ", w.now.Sub(w.start))+fmt.Sprintf(format, args...))
}

func (w *world) lost() bool { return w.lossy != nil && w.lossy() }

// takeTrace gives what happened since it was asked last.
func (w *world) takeTrace() string {
	text := strings.Join(w.trace, "\n")
	w.trace = nil
	if text == "" {
		return "nothing\n"
	}
	return text + "\n"
}

// fakeEnv is the world as the coordinator sees it.
type fakeEnv struct{ w *world }

func (e fakeEnv) Now() time.Time             { return e.w.now }
func (e fakeEnv) Rand() *rand.Rand           { return rand.New(rand.NewPCG(1, 2)) }
func (e fakeEnv) Props() []actor.PropsOption { return nil }
func (e fakeEnv) System() *actor.ActorSystem { return nil }
func (e fakeEnv) Step(label string)          { e.w.note("step %s", strings.TrimPrefix(label, "coordinator.")) }

func (e fakeEnv) After(d time.Duration, _ *actor.PID, msg any) func() {
	if d < 0 {
		e.w.t.Errorf("timer of %v", d)
	}
	e.w.seq++
	t := &fakeTimer{at: e.w.now.Add(d), seq: e.w.seq, msg: msg}
	e.w.timers = append(e.w.timers, t)
	return func() { e.w.cancel(t) }
}

func (e fakeEnv) Work(_ *actor.PID, name string, f func(context.Context) any) func() {
	e.w.inbox = append(e.w.inbox, e.run(name, f))
	return func() {}
}

func (e fakeEnv) run(name string, f func(context.Context) any) (res any) {
	defer func() {
		if v := recover(); v != nil {
			res = &env.WorkPanic{Name: name, Value: v, Stack: debug.Stack()}
		}
	}()
	return f(context.Background())
}

// traceHandler puts log lines, which are the events, into the trace.
type traceHandler struct{ w *world }

func (h traceHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h traceHandler) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h traceHandler) WithGroup(string) slog.Handler            { return h }

func (h traceHandler) Handle(_ context.Context, r slog.Record) error {
	where := ""
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "region", "attempt", "checkpoint", "node":
			where += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		}
		return true
	})
	h.w.note("%s%s: %s", r.Level, where, r.Message)
	return nil
}
