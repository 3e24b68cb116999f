package actors

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/cockroachdb/datadriven"

	"github.com/weirflow/weir/actors/barrier"
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/memory"
)

// The scripts step one subtask by hand: the test plays its neighbours and the
// coordinator, and prints in order what the subtask says to any of them. They
// hold S22, S23, S98, S99, S100 and S101 where one subtask can; see their comments.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		if filepath.Ext(path) != ".txt" {
			return
		}
		var b *bench
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "new" {
				b.close()
				b = newBench(t, d)
				return b.drain()
			}
			var out strings.Builder
			for _, line := range strings.Split(strings.TrimSpace(d.Input), "\n") {
				fmt.Fprintf(&out, "%s\n", line)
				b.step(line)
				out.WriteString(b.drain())
			}
			return out.String()
		})
		b.close()
	})
}

// bench holds one subtask and a probe that hears everything it says.
type bench struct {
	t       *testing.T
	world   *handEnv
	sub     *subtask
	pid     *actor.PID
	probe   *actor.PID
	heard   chan any
	types   plan.RowType
	inputs  []messages.ChannelID
	seqs    []uint64
	seen    map[messages.ChannelID]uint64
	attempt messages.Attempt
	failed  bool // the subtask has ended: nothing more is to be heard
	options *Options
	splits  []string                // of the source, of which nothing was read
	counts  string                  // of an aligned source, as shown last
	acked   *messages.CheckpointAck // the last one
	unkeyed bool                    // batches come without hashes, which the operator then makes itself
}

// handEnv is a world in which time stands still until the script moves it, and
// work runs at once, but for calls of users, which wait for "answer", and where
// the topology is "aligned" reads, which wait for "read".
type handEnv struct {
	calls  []func()
	reads  map[string]func() // by split; nil: they run at once
	system *actor.ActorSystem
	mu     sync.Mutex // of what follows: a subtask may be at it when the script goes on
	at     time.Time
	timers []handTimer
	step   func(label string)
	store  persistence.CheckpointStore
}

type handTimer struct {
	at  time.Time
	to  *actor.PID
	msg any
}

func (h *handEnv) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

func (h *handEnv) Rand() *rand.Rand           { return rand.New(rand.NewPCG(1, 2)) }
func (h *handEnv) Props() []actor.PropsOption { return nil }
func (h *handEnv) Step(label string)          { h.step(label) }
func (h *handEnv) System() *actor.ActorSystem { return h.system }
func (h *handEnv) After(d time.Duration, to *actor.PID, msg any) func() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.timers = append(h.timers, handTimer{h.at.Add(d), to, msg})
	return func() {}
}

func (h *handEnv) Work(to *actor.PID, name string, f func(context.Context) any) func() {
	run := func() {
		if m := f(context.Background()); m != nil {
			h.system.Root.Send(to, m)
		}
	}
	split, read := strings.CutPrefix(name, "read ")
	switch {
	case strings.HasPrefix(name, "call of"):
		h.calls = append(h.calls, run)
	case read && h.reads != nil:
		h.reads[split] = run
		h.step(name)
	default:
		run()
	}
	return func() {}
}

// stepped is what the probe hears of Env.Step.
type stepped string

// topologies by name: the middle chain is the one under test.
func script(name string, upstream int) (*operators.Topology, messages.OperatorID) {
	top := operators.NewTopology("script")
	in := operators.From(top, "in", operators.Slice[int64](1, 2, 3), operators.Monotonous(func(v int64) int64 { return v })).Parallelism(upstream)
	switch name {
	case "map":
		in.Rebalance()
		mid := operators.Map(in, "mid", func(v int64) int64 { return v * 10 }).Unchained()
		mid.To("out", sinkOf{}).Unchained()
		return top, "mid"
	case "sum":
		mid := operators.Reduce(operators.KeyBy(in, func(v int64) int64 { return v % 2 }), "mid", func(a, b int64) int64 { return a + b }).Unchained()
		mid.To("out", sinkOf{}).Unchained()
		return top, "mid"
	case "async":
		ask := func(_ context.Context, v int64) ([]int64, error) {
			if v < 0 {
				return nil, fmt.Errorf("nobody knows %d", v)
			}
			return []int64{v * 10}, nil
		}
		o := operators.AsyncOptions{Capacity: 2, Timeout: time.Second, OnTimeout: operators.TimeoutResult(func(int64) ([]int64, error) { return []int64{0}, nil })}
		operators.AsyncUnordered(in.Rebalance(), "mid", ask, o).To("out", sinkOf{})
		return top, "mid"
	case "aligned":
		top := operators.NewTopology("script")
		strategy := operators.Monotonous[int64](nil).Granularity(0).Align("g", 10*time.Millisecond).Idle(time.Second)
		operators.From(top, "in", tides{}, strategy).To("out", sinkOf{}).Unchained()
		return top, "in"
	case "window": // what it gives is 100 times the key, and the sum
		keyed := operators.KeyBy(in, func(v int64) int64 { return v % 10 })
		sums := operators.Aggregate(keyed.Window(operators.Tumbling(10*time.Millisecond)), "mid", sumUp{}).Unchained()
		shown := operators.Map(sums, "shown", func(r operators.WindowResult[int64, int64]) int64 { return 100*r.Key + r.Value })
		shown.To("out", sinkOf{}).Unchained()
		return top, "mid"
	case "windows": // the same, behind a source that may be read again, and within one subtask
		keyed := operators.KeyBy(in, func(v int64) int64 { return v })
		sums := operators.Aggregate(keyed.Window(operators.Tumbling(10*time.Millisecond)), "mid", sumUp{})
		shown := operators.Map(sums, "shown", func(r operators.WindowResult[int64, int64]) int64 { return 100*r.Key + r.Value })
		shown.To("out", sinkOf{}).Unchained()
		return top, "in"
	case "source":
		in.To("out", sinkOf{}).Unchained()
		return top, "in"
	}
	panic("no topology " + name)
}

// sumUp adds numbers up.
type sumUp struct{}

func (sumUp) CreateAccumulator() int64 { return 0 }
func (sumUp) Add(sum, v int64) int64   { return sum + v }
func (sumUp) Merge(a, b int64) int64   { return a + b }
func (sumUp) Result(sum int64) int64   { return sum }

type sinkOf struct{}

func (sinkOf) Kind() operators.SinkKind { return operators.Plain }
func (sinkOf) Open(context.Context, operators.SinkContext) (operators.Writer[int64], error) {
	return nil, fmt.Errorf("the script's sink is never opened")
}

func newBench(t *testing.T, d *datadriven.TestData) *bench {
	name, upstream, credits, full := "map", 1, 8, 0
	d.MaybeScanArgs(t, "topology", &name)
	d.MaybeScanArgs(t, "inputs", &upstream)
	d.MaybeScanArgs(t, "credits", &credits)
	d.MaybeScanArgs(t, "batch", &full)
	top, id := script(name, upstream)
	p, err := top.Build()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, heard: make(chan any, 1000), seen: map[messages.ChannelID]uint64{}, attempt: 3, unkeyed: name == "window"}
	b.world = &handEnv{
		system: actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) })), at: time.UnixMilli(1000), store: memory.Store(1 << 20),
	}
	// By the probe, so that steps keep their place among what is said.
	b.world.step = func(label string) { b.world.system.Root.Send(b.probe, stepped(label)) }
	b.probe = b.world.system.Root.Spawn(actor.PropsFromFunc(func(c actor.Context) {
		switch c.Message().(type) {
		case actor.SystemMessage, actor.AutoReceiveMessage:
		default:
			b.heard <- c.Message()
		}
	}))
	b.splits = []string{"0"}
	o := Options{Job: "script", Node: "n", Plan: p, Env: b.world, Store: b.world.store, Backend: memory.Backend(), Credits: credits, BatchRecords: full}.withDefaults()
	if name == "aligned" {
		b.world.reads, b.splits, o.BatchRecords = map[string]func(){}, []string{"a", "b"}, 1
	}
	if d.HasArg("at-least-once") {
		o.Mode = barrier.AtLeastOnce
	}
	b.options = &o
	b.spawn(&o, id, nil)
	return b
}

// spawn makes the subtask as a deployment would, with the probe as every neighbour.
func (b *bench) spawn(o *Options, id messages.OperatorID, restore *messages.Manifest) {
	deploy := &messages.Deploy{Job: "script", Attempt: uint64(b.attempt), Restore: restore}
	for _, c := range o.Plan.Chains {
		for i := range c.Parallelism {
			deploy.Tasks = append(deploy.Tasks, &messages.Task{Subtask: messages.SubtaskID{Chain: c.Head().Name, Index: i}.Proto(), Node: "n"})
		}
	}
	deploy.Splits = []*messages.SplitAssignment{{Operator: "in", Splits: splitsOf(b.splits, restore)}}
	w := &wiring{o: o, deploy: deploy}
	b.sub = w.subtask(messages.SubtaskID{Chain: id})
	b.sub.coordinator, b.sub.ctx = b.probe, context.Background()
	b.inputs = nil
	for _, c := range b.sub.channels.in {
		c.from = b.probe
		b.inputs = append(b.inputs, c.id)
		b.types = c.edge.Type
	}
	for _, cs := range b.sub.channels.out {
		for _, c := range cs {
			c.to = b.probe
		}
	}
	b.seqs = make([]uint64, len(b.inputs))
	parent := actor.PropsFromProducer(func() actor.Actor { return &benchParent{b: b} })
	b.world.system.Root.Spawn(parent)
	for b.pid == nil {
		if m, ok := (<-b.heard).(*actor.PID); ok {
			b.pid = m
		}
	}
}

// splitsOf gives splits as a snapshot has them, or from their beginning.
func splitsOf(ids []string, restore *messages.Manifest) (splits []*messages.SplitState) {
	for _, s := range restore.GetSubtasks() {
		for _, o := range s.GetOperators() {
			splits = append(splits, o.GetSplits()...)
		}
	}
	if len(splits) > 0 {
		return splits
	}
	for _, id := range ids {
		splits = append(splits, &messages.SplitState{Id: id})
	}
	return splits
}

// restart ends the attempt and begins one from the last snapshot.
func (b *bench) restart() {
	p := b.options.Plan
	m := &messages.Manifest{
		Job: "script", Checkpoint: b.acked.GetCheckpoint(), Fingerprint: p.Fingerprint(), MaxParallelism: int32(p.MaxParallelism),
		Operators: p.Metas(), Subtasks: []*messages.SubtaskSnapshot{b.acked.GetSnapshot()},
	}
	b.world.system.Root.Stop(b.pid)
	b.world.calls, b.world.timers = nil, nil
	b.attempt++
	b.pid = nil
	b.spawn(b.options, b.sub.id.Chain, m)
}

// benchParent stands for the attempt.
type benchParent struct{ b *bench }

func (p *benchParent) Receive(c actor.Context) {
	switch c.Message().(type) {
	case *actor.Started:
		p.b.heard <- c.Spawn(actor.PropsFromProducer(func() actor.Actor { return p.b.sub }))
	}
}

func (p *benchParent) HandleFailure(_ *actor.ActorSystem, s actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	p.b.heard <- reason
	s.StopChildren(child)
}

func (b *bench) close() {
	if b != nil {
		b.world.system.Root.Stop(b.pid)
		b.world.system.Shutdown()
	}
}

// step carries out one line.
func (b *bench) step(line string) {
	word, rest, _ := strings.Cut(line, " ")
	if channel, err := strconv.Atoi(word); err == nil {
		b.element(channel, rest)
		return
	}
	switch word {
	case "start":
		b.say(startSubtask{})
	case "credit":
		n := number(b.t, rest)
		for id := range b.seen { // order: the subtask under test has one output
			b.say(&messages.Credit{Attempt: uint64(b.attempt), Channel: id.Proto(), Batches: int32(n)})
		}
	case "abort":
		b.say(&messages.CheckpointAborted{Attempt: uint64(b.attempt), Checkpoint: uint64(number(b.t, rest))})
	case "complete":
		b.say(&messages.CheckpointComplete{Attempt: uint64(b.attempt), Checkpoint: uint64(number(b.t, rest))})
	case "trigger":
		b.say(&messages.TriggerCheckpoint{Attempt: uint64(b.attempt), Checkpoint: uint64(number(b.t, rest))})
	case "answer":
		i := number(b.t, rest)
		run := b.world.calls[i]
		b.world.calls = slices.Delete(b.world.calls, int(i), int(i)+1)
		run()
	case "restart":
		b.restart()
	case "read":
		if run := b.world.reads[rest]; run != nil {
			delete(b.world.reads, rest)
			run()
		} else {
			b.world.step(rest + " is not being read")
		}
	case "group", "stranger": // number, least watermark
		seq, least, _ := strings.Cut(rest, " ")
		m := b.group(seq, least)
		if word == "stranger" {
			m.Group = "another"
		}
		b.say(m)
	case "assign":
		b.say(&messages.AssignSplits{Attempt: uint64(b.attempt), Assignment: &messages.SplitAssignment{Operator: "in", Splits: splitsOf([]string{rest}, nil)}})
	case "stop", "drain":
		b.say(&messages.StopSources{Attempt: uint64(b.attempt), Drain: word == "drain"})
	case "wait":
		d, err := time.ParseDuration(rest)
		if err != nil {
			b.t.Fatal(err)
		}
		b.wait(d)
	default:
		b.t.Fatalf("what is %q?", line)
	}
}

// wait moves the clock and fires what is due.
func (b *bench) wait(d time.Duration) {
	b.world.mu.Lock()
	defer b.world.mu.Unlock()
	b.world.at = b.world.at.Add(d)
	due := b.world.timers
	b.world.timers = nil
	for _, t := range due {
		if t.at.After(b.world.at) {
			b.world.timers = append(b.world.timers, t)
			continue
		}
		b.world.system.Root.Send(t.to, t.msg)
	}
}

// element puts "batch 3@3 wm2 4@4", "hello 7", "hello idle", "barrier 1",
// "idle", "active" or "end" on an input channel; "seq+1 ..." and "attempt 2 ..."
// falsify what goes before it.
func (b *bench) element(channel int, what string) {
	e := &element{attempt: b.attempt, channel: b.inputs[channel]}
	b.seqs[channel]++
	for {
		if rest, ok := strings.CutPrefix(what, "gap "); ok {
			b.seqs[channel]++
			what = rest
		} else if rest, ok := strings.CutPrefix(what, "repeat "); ok {
			b.seqs[channel]--
			what = rest
		} else if rest, ok := strings.CutPrefix(what, "stale "); ok {
			b.seqs[channel]--
			e.attempt--
			what = rest
		} else {
			break
		}
	}
	e.seq = b.seqs[channel]
	word, rest, _ := strings.Cut(what, " ")
	switch word {
	case "hello":
		e.kind, e.watermark, e.idle = kindHello, messages.NoWatermark, rest == "idle"
		if rest != "" && !e.idle {
			e.watermark = number(b.t, rest)
		}
	case "batch":
		e.batch = b.batch(rest)
	case "barrier":
		e.kind, e.checkpoint = kindBarrier, messages.CheckpointID(number(b.t, rest))
	case "idle", "active":
		e.kind, e.idle = kindStatus, word == "idle"
	case "end":
		e.kind = kindEnd
	default:
		b.t.Fatalf("what is %q?", what)
	}
	b.say(e)
}

func (b *bench) batch(words string) *plan.Batch {
	p := b.types.New(8)
	values := p.Values.(*[]int64)
	for _, w := range strings.Fields(words) {
		if wm, ok := strings.CutPrefix(w, "wm"); ok {
			if wm == "max" {
				p.WithMark(messages.MaxWatermark)
			} else {
				p.WithMark(number(b.t, wm))
			}
			continue
		}
		v, at, _ := strings.Cut(w, "@")
		*values = append(*values, number(b.t, v))
		p.Times = append(p.Times, number(b.t, at))
		if !b.unkeyed {
			p.Hashes = append(p.Hashes, uint64(number(b.t, v)%2)<<40)
		}
	}
	return p
}

func number(t *testing.T, s string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (b *bench) say(m any) { b.world.system.Root.Send(b.pid, m) }

// drain waits until the subtask has worked off what it was told, and what that
// made it tell itself, and prints what it said.
func (b *bench) drain() string {
	var out strings.Builder
	var last *messages.SubtaskStatus
	for quiet := 0; quiet < 4 && !b.failed; {
		b.say(&messages.StatusRequest{})
		for answered := false; !answered; {
			m := <-b.heard
			switch m := m.(type) {
			case *messages.SubtaskStatus:
				answered, last = true, m
			case *messages.Failure:
				fmt.Fprintf(&out, "  %s\n", b.show(m))
				b.failed, answered = true, true
			default:
				quiet = -1
				if s := b.show(m); s != "" {
					fmt.Fprintf(&out, "  %s\n", s)
				}
			}
		}
		quiet++
	}
	return out.String() + b.counted(last)
}

func (b *bench) show(m any) string {
	switch m := m.(type) {
	case *element:
		b.seen[m.channel] = m.seq
		return fmt.Sprintf("out #%d %s", m.seq, showElement(m))
	case *creditReturn:
		return fmt.Sprintf("credit for channel %d", m.channel.From)
	case stepped:
		if m == "subtask.opened" {
			return "" // may be heard before or after its pid
		}
		return "(" + string(m) + ")"
	case *messages.CheckpointAck:
		b.acked = m
		return fmt.Sprintf("ack %d%s", m.GetCheckpoint(), showSnapshot(m.GetSnapshot()))
	case *messages.CheckpointCommitted:
		return fmt.Sprintf("committed %d", m.GetCheckpoint())
	case *messages.SubtaskFinished:
		return "finished"
	case *messages.SourceWatermark:
		return fmt.Sprintf("at %s, #%d", showMark(m.GetWatermark()), m.GetSeq())
	case *messages.SplitsAssigned:
		return "assigned"
	case *messages.Failure:
		return "failed: " + m.GetReason()
	}
	return fmt.Sprintf("%T", m)
}

// counted tells what an aligned source counts, when it has changed.
func (b *bench) counted(m *messages.SubtaskStatus) string {
	text := ""
	for _, o := range m.GetOperators() {
		for _, c := range o.GetCounters() {
			if c.GetName() == "splits_paused" || c.GetName() == "alignment_pauses" {
				text += fmt.Sprintf(" %s=%d", c.GetName(), c.GetValue())
			}
		}
		if text != "" && o.FurthestMs != nil {
			text += " furthest=" + showMark(o.GetFurthestMs())
		}
	}
	if text == b.counts || text == "" {
		return ""
	}
	b.counts = text
	return " " + text + "\n"
}

func (b *bench) group(seq, least string) *messages.GroupWatermark {
	m := &messages.GroupWatermark{Attempt: uint64(b.attempt), Group: "g"}
	var err error
	if m.Seq, err = strconv.ParseUint(seq, 10, 64); err != nil {
		b.t.Fatal(err)
	}
	switch least {
	case "-":
		m.Watermark = messages.NoWatermark
	case "max":
		m.Watermark = messages.MaxWatermark
	default:
		m.Watermark = number(b.t, least)
	}
	return m
}

func showSnapshot(s *messages.SubtaskSnapshot) string {
	var b strings.Builder
	for _, o := range s.GetOperators() {
		fmt.Fprintf(&b, " %s(watermark %s", o.GetOperator(), showMark(o.GetWatermark()))
		if len(o.GetBlobs()) > 0 {
			fmt.Fprintf(&b, ", %d blobs", len(o.GetBlobs()))
		}
		for _, sp := range o.GetSplits() {
			fmt.Fprintf(&b, ", split %s at %x", sp.GetId(), sp.GetPosition())
		}
		b.WriteString(")")
	}
	if s.GetFinished() {
		b.WriteString(" finished")
	}
	return b.String()
}

func showMark(w int64) string {
	switch w {
	case messages.NoWatermark:
		return "-"
	case messages.MaxWatermark:
		return "max"
	}
	return fmt.Sprint(w)
}

func showElement(e *element) string {
	switch e.kind {
	case kindHello:
		if e.idle {
			return "hello idle"
		}
		return "hello " + showMark(e.watermark)
	case kindBarrier:
		return fmt.Sprintf("barrier %d", e.checkpoint)
	case kindStatus:
		return map[bool]string{true: "idle", false: "active"}[e.idle]
	case kindEnd:
		return "end"
	}
	s, marks := "batch", e.batch.Marks
	values := *e.batch.Values.(*[]int64)
	for i := 0; i <= len(values); i++ {
		for len(marks) > 0 && marks[0].Index == i {
			s += " wm" + showMark(marks[0].Watermark)
			marks = marks[1:]
		}
		if i < len(values) {
			s += fmt.Sprintf(" %d@%d", values[i], e.batch.Times[i])
		}
	}
	return s
}
