package coordinator

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/cockroachdb/datadriven"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence"
)

// TestScripts runs a coordinator by hand. Each file in testdata/job is one
// guarantee and says which rows it holds. The output is what the coordinator
// did, said, logged and stored since the last command, with the time. The
// commands:
//
//	new [options]          a world with one topology; its lines are
//	                         region <subtask>...
//	                         source <operator> region= parallelism= [bounded] [discover=] [align=<group>:<drift>] splits=a,b
//	again [options]        the coordinator has died: its successor begins
//	worker <node> [session=] [silent=what,...]   registers
//	silent <node> [what...]     it stops doing these and does everything else
//	terminated <node>           its worker actor has ended
//	sleep <duration>
//	fail attempt= reason= [permanent] [corrupt=<blob>]   a worker reports it
//	decline attempt= id= <subtask>         finished attempt= <subtask>...
//	store <method> <error>...   what the next calls return: full, uncertain, fenced, panic, newer
//	damage                      the newest manifest cannot be read any more
//	splits <operator> a,b|error
//	at <subtask> attempt= seq= ms=         an aligned source's subtask says where it is
//	stopped <node> attempt=     it stopped by itself
//	trigger | cancel | stop [drain] | status | log
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/job", func(t *testing.T, path string) {
		s := &script{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			return s.run(t, d)
		})
	})
}

type script struct {
	*world
	cfg     Config
	waiting []chan TriggerResult
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	switch d.Cmd {
	case "new":
		s.world, s.cfg = newWorld(t), Config{Job: "job"}
		s.topology(d)
		s.options(d)
		s.world.run(s.cfg)
	case "again":
		s.options(d)
		s.world.run(s.cfg)
		for _, f := range s.nodes {
			f.reset()
		}
	default:
		s.world.t = t
		s.command(d)
	}
	for i, c := range s.waiting {
		select {
		case r := <-c:
			s.note("trigger answered: %d %v", r.Checkpoint, r.Err)
			s.waiting[i] = nil
		default:
		}
	}
	if s.result != nil {
		s.note("done: %s err=%v", s.result.State, s.result.Err)
		s.result = nil
	}
	return s.takeTrace()
}

func (s *script) topology(d *datadriven.TestData) {
	top := &s.cfg.Topology
	top.Fingerprint, top.MaxParallelism = "f", 8
	for line := range strings.Lines(d.Input) {
		words := strings.Fields(line)
		if words[0] == "region" {
			var region []messages.SubtaskID
			for _, w := range words[1:] {
				region = append(region, subtask(s.t, w))
			}
			top.Regions = append(top.Regions, region)
			continue
		}
		src := Source{Operator: messages.OperatorID(words[1]), Parallelism: 1}
		for _, w := range words[2:] {
			key, value, _ := strings.Cut(w, "=")
			switch key {
			case "region":
				src.Region = atoi(s.t, value)
			case "parallelism":
				src.Parallelism = atoi(s.t, value)
			case "bounded":
				src.Bounded = true
			case "discover":
				src.DiscoverEvery = parse(s.t, value)
			case "align":
				group, drift, _ := strings.Cut(value, ":")
				src.AlignGroup, src.AlignDrift = group, parse(s.t, drift)
			case "splits":
				s.list(src.Operator, value)
			}
		}
		src.List = s.world.lister(src.Operator)
		top.Sources = append(top.Sources, src)
	}
	seen := map[string]bool{}
	for _, region := range top.Regions {
		for _, id := range region {
			if name := string(id.Chain); !seen[name] {
				seen[name] = true
				top.Operators = append(top.Operators, &messages.OperatorMeta{Name: name, Kind: "op", Parallelism: 1})
			}
		}
	}
}

func (s *script) options(d *datadriven.TestData) {
	for _, a := range d.CmdArgs {
		value := ""
		if len(a.Vals) > 0 {
			value = a.Vals[0]
		}
		c := &s.cfg.Checkpoints
		switch a.Key {
		case "interval":
			c.Interval = parse(s.t, value)
		case "timeout":
			c.Timeout = parse(s.t, value)
		case "tolerable":
			c.TolerableFailures = atoi(s.t, value)
		case "retained":
			c.Retained = atoi(s.t, value)
		case "retain-on-cancel":
			c.RetainOnCancel = true
		case "at-most-once":
			s.cfg.AtMostOnce = true
		case "workers":
			s.cfg.Workers = atoi(s.t, value)
		case "deploy-timeout":
			s.cfg.DeployTimeout = parse(s.t, value)
		case "stop-timeout":
			s.cfg.StopTimeout = parse(s.t, value)
		case "restart":
			s.cfg.Restart = strategy(s.t, a.Vals)
		}
	}
}

func strategy(t testing.TB, vals []string) RestartStrategy {
	switch vals[0] {
	case "none":
		return NoRestart{}
	case "fixed":
		return FixedDelay{Attempts: atoi(t, vals[1]), Delay: parse(t, vals[2])}
	case "rate":
		return FailureRate{Failures: atoi(t, vals[1]), Per: parse(t, vals[2]), Delay: parse(t, vals[3])}
	case "exponential":
		return Exponential{Initial: parse(t, vals[1]), Max: parse(t, vals[2]), Multiplier: 2, ResetAfter: parse(t, vals[3])}
	}
	t.Fatalf("no strategy %q", vals)
	return nil
}

func (s *script) command(d *datadriven.TestData) {
	attempt := uint64(optional(s.t, d, "attempt"))
	switch d.Cmd {
	case "worker":
		s.join(d)
	case "silent":
		f := s.nodes[d.CmdArgs[0].Key]
		f.silent = map[string]bool{}
		for _, a := range d.CmdArgs[1:] {
			f.silent[a.Key] = true
		}
	case "terminated":
		f := s.nodes[d.CmdArgs[0].Key]
		f.silent["all"] = true
		s.tell(&actor.Terminated{Who: f.pid})
	case "sleep":
		s.sleep(parse(s.t, d.CmdArgs[0].Key))
	case "fail":
		f := &messages.Failure{Reason: text(d, "reason"), CorruptBlob: text(d, "corrupt"), Permanent: d.HasArg("permanent"), KeyGroup: -1}
		s.tell(&messages.AttemptFailed{Attempt: attempt, Failure: f})
	case "decline":
		s.tell(&messages.CheckpointDecline{Attempt: attempt, Checkpoint: uint64(optional(s.t, d, "id")), Subtask: s.named(d)[0].Proto(), Reason: "cannot prepare"})
	case "at":
		ms := messages.MaxWatermark
		d.MaybeScanArgs(s.t, "ms", &ms)
		s.tell(&messages.SourceWatermark{Attempt: attempt, Subtask: s.named(d)[0].Proto(), Seq: uint64(optional(s.t, d, "seq")), Watermark: ms})
	case "stopped":
		s.tell(&messages.AttemptStopped{Attempt: attempt, Node: d.CmdArgs[0].Key})
	case "log":
		var ids []uint64
		for _, m := range s.log.manifests {
			ids = append(ids, m.GetCheckpoint())
		}
		s.note("checkpoints: %v", ids)
	case "finished":
		for _, id := range s.named(d) {
			s.finished[id] = true
			s.tell(&messages.SubtaskFinished{Attempt: attempt, Subtask: id.Proto()})
		}
	case "store":
		s.breakStore(d)
	case "damage":
		s.log.damaged = append(s.log.damaged, persistence.Damaged{Slot: 9, Key: "job/log/9", Err: errors.New("torn")})
		s.log.manifests = s.log.manifests[1:]
	case "splits":
		s.list(messages.OperatorID(d.CmdArgs[0].Key), d.CmdArgs[1].Key)
	case "doubt":
		s.nodes[d.CmdArgs[0].Key].doubt = "expired"
	case "trigger":
		c := make(chan TriggerResult, 1)
		s.waiting = append(s.waiting, c)
		s.tell(Trigger{c})
	case "cancel":
		s.tell(Cancel{})
	case "stop":
		s.tell(Stop{Drain: d.HasArg("drain")})
	case "status":
		s.status()
	default:
		s.t.Fatalf("no command %q", d.Cmd)
	}
}

func (s *script) join(d *datadriven.TestData) {
	node := d.CmdArgs[0].Key
	f := newWorker(s.world, node)
	d.MaybeScanArgs(s.t, "session", &f.session)
	if arg, ok := d.Arg("silent"); ok {
		for _, what := range arg.Vals {
			f.silent[what] = true
		}
	}
	f.register()
	s.settle()
}

func (s *script) breakStore(d *datadriven.TestData) {
	if s.log.fail == nil {
		s.log.fail = map[string][]error{}
	}
	method := d.CmdArgs[0].Key
	for _, a := range d.CmdArgs[1:] {
		s.log.fail[method] = append(s.log.fail[method], storeError(s.t, a.Key))
	}
}

func storeError(t testing.TB, name string) error {
	switch name {
	case "full":
		return errors.New("disk full")
	case "uncertain":
		return &persistence.UncertainError{Checkpoint: 1, Slot: 2, Err: errors.New("timeout")}
	case "fenced":
		return fmt.Errorf("publish: %w", &persistence.FencedError{Job: "job", By: "other:7", Attempt: 9})
	case "newer":
		return &persistence.FormatError{What: "manifest", Key: "k", Was: 2, Known: 1}
	case "panic":
		return panicking{errors.New("panic")}
	}
	t.Fatalf("no store error %q", name)
	return nil
}

func (s *script) status() {
	c := make(chan Status, 1)
	s.tell(GetStatus{c})
	st := <-c
	s.note("%s restarts=%d failures=%d in-doubt=%d checkpoint=%d bytes=%d stale=%d workers=%q err=%v", st.State, st.Restarts, len(st.Failures),
		len(st.InDoubt), st.Checkpoint.ID, st.Checkpoint.Bytes, st.Stale, st.Workers, st.Err)
	for _, r := range st.Regions {
		s.note("  region %d %s attempt=%d restored=%d on %q", r.Region, r.State, r.Attempt, r.Restored, r.Nodes)
	}
	for _, o := range st.Operators {
		if o.Furthest != messages.NoWatermark {
			s.note("  %s furthest=%d", o.Operator, o.Furthest)
		}
		s.note("  %s in=%d out=%d late=%d watermark=%d back-pressured=%d", o.Operator, o.RecordsIn, o.RecordsOut, o.Counters["late"], o.Watermark, o.BackPressured)
	}
}

// named gives the subtasks among a command's arguments; "*" is all of the
// attempt's region.
func (s *script) named(d *datadriven.TestData) []messages.SubtaskID {
	var ids []messages.SubtaskID
	for _, a := range d.CmdArgs {
		if a.Key == "*" {
			return s.j.maybeRegion(uint64(optional(s.t, d, "attempt"))).subtasks
		}
		if len(a.Vals) == 0 {
			ids = append(ids, subtask(s.t, a.Key))
		}
	}
	return ids
}

func subtask(t testing.TB, name string) messages.SubtaskID {
	chain, index, _ := strings.Cut(name, ".")
	return messages.SubtaskID{Chain: messages.OperatorID(chain), Index: atoi(t, index)}
}

func optional(t testing.TB, d *datadriven.TestData, key string) int64 {
	var n int64
	d.MaybeScanArgs(t, key, &n)
	return n
}

func text(d *datadriven.TestData, key string) string {
	if a, ok := d.Arg(key); ok {
		return strings.Join(a.Vals, " ")
	}
	return ""
}

func atoi(t testing.TB, s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func parse(t testing.TB, s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
