package sim

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/weirflow/weir/actors/env"
	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/coordinator"
)

// supervisor stands for what starts processes in a real cluster: it decides on
// which node the job's coordinator runs, begins another when that one dies, and
// tells the nodes. It is often late and sometimes wrong: a coordinator that it
// has replaced may live on.
type supervisor struct {
	job      *job
	rand     *rand.Rand
	nodes    []*Node
	leader   lead // the newest
	deploy   int  // counts deployments
	stopping lead // was asked to stop, to go on as the next deployment
	finished bool
}

// lead says where a coordinator runs. Numbers grow.
type lead struct {
	number int
	life   *life
}

func (l lead) actor() string { return fmt.Sprintf("coordinator-%d", l.number) }

func newSupervisor(j *job) *supervisor {
	s := &supervisor{job: j, rand: j.w.Rand("supervisor")}
	j.w.onDeath = s.onDeath
	j.w.planFault(j.params.faults.Elections, "fault: election", func() {
		j.w.logFault("another coordinator is begun")
		s.elect()
	})
	j.w.planFault(j.params.faults.Redeploys, "fault: redeploy", s.redeploySomehow)
	return s
}

func (s *supervisor) start() {
	for i := range s.job.params.nodes {
		s.nodes = append(s.nodes, s.job.w.StartNode(string(rune('a'+i)), s.begin))
	}
	s.elect()
}

// begin is what a process does first.
func (s *supervisor) begin(e env.Env) {
	d, err := s.job.deployment(e)
	if err != nil {
		s.job.w.fail(err)
		return
	}
	spawnAgent(s, e.(*nodeEnv), d)
}

// elect begins a new coordinator on any live node, and tells the nodes.
func (s *supervisor) elect() {
	w := s.job.w
	n := w.anyNode()
	if n == nil {
		w.schedule(nil, w.now+time.Second, "elect", s.elect)
		return
	}
	s.leader = lead{s.leader.number + 1, n.life}
	for _, other := range s.nodes {
		delay := Range{0, 5 * time.Second}.draw(s.rand)
		if other == n {
			delay = 0
		}
		s.tellLater(other, s.leader, delay)
	}
}

// electLater replaces a leader that has ended, after a while.
func (s *supervisor) electLater(old lead) {
	w := s.job.w
	w.schedule(nil, w.now+Range{time.Millisecond, 5 * time.Second}.draw(s.rand), "elect", func() {
		if s.leader == old {
			s.elect()
		}
	})
}

// tellLater tells whatever process then runs on a node. Now and then that is
// done by starting it anew.
func (s *supervisor) tellLater(n *Node, l lead, delay time.Duration) {
	w := s.job.w
	w.schedule(nil, w.now+delay, "tell "+n.address, func() {
		switch {
		case !n.Alive(): // it asks when it starts
		case s.rand.IntN(4) == 0 && n.life != l.life && l.number > 1:
			n.Kill()
			n.Restart()
		default:
			tellAgent(n.life, s.job.plan.Name, l)
		}
	})
}

func (s *supervisor) onDeath(dead *life) {
	if s.leader.life == dead && !s.finished {
		s.electLater(s.leader)
	}
}

// redeploySomehow stops the job as one should, or not at all, and deploys it anew.
func (s *supervisor) redeploySomehow() {
	w := s.job.w
	if s.rand.IntN(2) == 0 && !s.leader.life.dead {
		w.logFault("stop of the job, to go on")
		s.stopping = s.leader
		s.tellLeader(coordinator.Stop{})
		return
	}
	w.logFault("all nodes are replaced")
	s.redeploy()
}

// redeploy starts every process anew, with another parallelism.
func (s *supervisor) redeploy() {
	s.deploy++
	if err := s.job.onDeploy(s.deploy); err != nil {
		s.job.w.fail(err)
		return
	}
	for _, n := range s.nodes {
		n.Kill()
	}
	for _, n := range s.nodes {
		n.Restart()
	}
	s.elect()
}

func (s *supervisor) tellLeader(m any) {
	if l := s.leader; !l.life.dead {
		l.life.system.Root.Send(l.life.system.NewLocalPID(cluster.RootID(s.job.plan.Name)+"/"+l.actor()), m)
	}
}

func endedAs(r coordinator.Result) error {
	if r.Err == nil {
		return fmt.Errorf("the job has ended as %s", r.State)
	}
	return fmt.Errorf("the job has ended as %s: %w", r.State, r.Err)
}

// onDone hears how a coordinator saw the job end.
func (s *supervisor) onDone(l lead, r coordinator.Result) {
	switch {
	case r.State == coordinator.Failed:
		s.job.w.fail(fmt.Errorf("the job has FAILED: %w", r.Err))
	case l != s.leader:
	case r.State == coordinator.Finished && r.Err == nil:
		s.finished = true
	case r.State == coordinator.Fenced:
		s.electLater(l)
	case r.State == coordinator.Stopped && r.Err == nil && l == s.stopping:
		s.job.w.schedule(nil, s.job.w.now+Range{0, time.Second}.draw(s.rand), "redeploy", s.redeploy)
	default:
		s.job.w.fail(endedAs(r))
	}
}
