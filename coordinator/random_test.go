package coordinator

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
)

// TestRandomLives lets chance break workers, network, store and the coordinator
// itself. No completion may come before its manifest, and when the faults end
// the job must finish with every record of every subtask committed exactly
// once: S10, S17, S18, S26, S28, S36, S37.
func TestRandomLives(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := newLives(t, rt)
		for range rapid.IntRange(5, 60).Draw(rt, "faults") {
			l.disturb()
			l.write()
			l.sleep(time.Duration(rapid.IntRange(1, 4000).Draw(rt, "ms")) * time.Millisecond)
		}
		l.heal()
		l.check()
	})
}

type lives struct {
	*world
	rt  *rapid.T
	cfg Config
	ids []messages.SubtaskID
	n   int // sessions
}

func newLives(t *testing.T, rt *rapid.T) *lives {
	l := &lives{world: newWorld(t), rt: rt}
	l.cfg = Config{
		Job: "job", Restart: FixedDelay{Attempts: -1, Delay: 100 * time.Millisecond}, WorkersWait: time.Second,
		Workers: 2, DeployTimeout: 5 * time.Second, StopTimeout: 3 * time.Second,
		Checkpoints: Checkpoints{Interval: time.Second, Timeout: 3 * time.Second, TolerableFailures: rapid.IntRange(-1, 2).Draw(rt, "tolerable")},
		Topology:    Topology{MaxParallelism: 8},
	}
	for r := range rapid.IntRange(1, 3).Draw(rt, "regions") {
		region := []messages.SubtaskID{{Chain: messages.OperatorID(fmt.Sprint("r", r))}, {Chain: messages.OperatorID(fmt.Sprint("r", r)), Index: 1}}
		l.cfg.Topology.Regions = append(l.cfg.Topology.Regions, region)
		l.cfg.Topology.Operators = append(l.cfg.Topology.Operators, &messages.OperatorMeta{Name: string(region[0].Chain), Parallelism: 2})
		l.ids = append(l.ids, region...)
	}
	l.log.fail = map[string][]error{}
	l.run(l.cfg)
	for _, node := range []string{"n1", "n2"} {
		l.join(node)
	}
	return l
}

// join begins a node's worker anew; registering is repeated until it is heard.
func (l *lives) join(node string) {
	f := newWorker(l.world, node)
	l.n++
	f.session = fmt.Sprint(l.n)
	f.register()
	l.settle()
}

func (l *lives) disturb() {
	node := rapid.SampledFrom([]string{"n1", "n2"}).Draw(l.rt, "node")
	f := l.nodes[node]
	switch rapid.SampledFrom([]string{"silent", "speak", "kill", "fail", "store", "store", "lossy", "crash", "trigger", "nothing"}).Draw(l.rt, "fault") {
	case "silent":
		f.silent[rapid.SampledFrom([]string{"all", "ack", "commit", "deploy", "stop", "beat"}).Draw(l.rt, "what")] = true
	case "speak":
		f.silent = map[string]bool{}
		f.register()
		l.settle()
	case "kill":
		l.join(node)
	case "fail":
		for _, r := range l.j.regions {
			if r.live() && rapid.Bool().Draw(l.rt, "hit") {
				l.tell(&messages.AttemptFailed{Attempt: uint64(r.attempt), Failure: &messages.Failure{Reason: "boom"}})
			}
		}
	case "store":
		method := rapid.SampledFrom([]string{"publish", "publish", "claim", "retain", "open"}).Draw(l.rt, "method")
		kinds := []string{"full", "panic"}
		if method == "publish" {
			kinds = append(kinds, "uncertain", "uncertain")
		}
		l.log.halfway = rapid.Bool().Draw(l.rt, "halfway")
		l.log.fail[method] = append(l.log.fail[method], storeError(l.t, rapid.SampledFrom(kinds).Draw(l.rt, "error")))
	case "lossy":
		l.lossy = func() bool { return rapid.IntRange(0, 9).Draw(l.rt, "lost") == 0 }
	case "crash":
		l.restart()
	case "trigger":
		l.tell(Trigger{make(chan TriggerResult, 1)})
	}
}

// restart lets the coordinator's process die. Workers live on and register.
func (l *lives) restart() {
	l.run(l.cfg)
	for _, node := range []string{"n1", "n2"} {
		l.nodes[node].register()
	}
	l.settle()
}

// write lets every running subtask write some records.
func (l *lives) write() {
	for _, node := range []string{"n1", "n2"} {
		for _, a := range sorted(l.nodes[node].tallies) {
			for _, s := range l.nodes[node].tasks[a] {
				l.nodes[node].tallies[a][s.ID()].at += rapid.IntRange(0, 3).Draw(l.rt, "records")
			}
		}
	}
}

// heal ends the faults, and the input.
func (l *lives) heal() {
	l.lossy, l.log.fail = nil, map[string][]error{}
	for _, id := range l.ids {
		l.finished[id] = true
	}
	for range 100 {
		for _, node := range []string{"n1", "n2"} {
			l.nodes[node].silent = map[string]bool{}
			l.nodes[node].register()
		}
		l.settle()
		if l.result != nil {
			break
		}
		l.sleep(time.Second)
	}
	if l.result == nil || l.result.State != Finished || l.result.Err != nil {
		l.rt.Fatalf("the job ended as %+v, state %s\n%s", l.result, l.j.state, l.takeTrace())
	}
}

// check compares what was committed with what the final checkpoint says was
// written: every record once.
func (l *lives) check() {
	for _, s := range l.log.manifests[0].GetSubtasks() {
		var want int
		_, _ = fmt.Sscan(string(s.GetOperators()[0].GetCustom()), &want)
		spans, at := l.output[s.GetSubtask().ID()], 0
		slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
		for _, sp := range spans {
			if sp.from != at {
				l.rt.Fatalf("%v committed %v: records lost or twice at %d\n%s", s.GetSubtask().ID(), spans, at, l.takeTrace())
			}
			at = sp.to
		}
		if at != want {
			l.rt.Fatalf("%v committed %v of %d\n%s", s.GetSubtask().ID(), spans, want, l.takeTrace())
		}
	}
}
