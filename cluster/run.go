package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirflow/weir/actors/env"
	"github.com/weirflow/weir/coordinator"
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence"
)

// Status is a job as it was at one moment.
type Status = coordinator.Status

// What happens to a job, and how one can end: see Job.Events and Job.Wait.
type (
	Event        = coordinator.Event
	Subscription = coordinator.Subscription
	State        = coordinator.State
	FailedError  = coordinator.FailedError  // it FAILED, with the first cause
	InDoubtError = coordinator.InDoubtError // it ended, with transactions in doubt
	FencedError  = persistence.FencedError  // another process took it over
)

// The states in which a job can end.
const (
	Finished = coordinator.Finished // its input is worked off and committed
	Stopped  = coordinator.Stopped  // it can go on from its last checkpoint
	Canceled = coordinator.Canceled
	Failed   = coordinator.Failed
	Fenced   = coordinator.Fenced
)

// Job is the handle of a running job.
type Job struct {
	d      *Deployment
	env    *env.Real
	own    bool // the system is the job's
	pid    *actor.PID
	events *coordinator.Events

	result  coordinator.Result
	done    chan struct{} // closed once result is set
	once    sync.Once     // guards result
	gone    chan struct{} // closed when coordinator or worker has ended
	absent  sync.Once     // guards gone
	ended   chan struct{} // closed once every actor of the job has ended
	cleanup sync.Once
	last    Status // asked for before the actors end
	forget  func() bool
}

// Run runs a topology in this process and waits for its end. The error is that
// of Wait. When ctx ends the job is left as it is, without a last checkpoint
// and without losing one: the next Run goes on from the newest.
func Run(ctx context.Context, top *operators.Topology, cfg Config) (*Job, error) {
	job, err := Start(ctx, top, cfg)
	if err != nil {
		return nil, err
	}
	return job, job.Wait()
}

// Start begins to run a topology in this process. The error names everything
// that is wrong with topology or configuration; what goes wrong later is
// Wait's. The caller must call Wait once.
func Start(ctx context.Context, top *operators.Topology, cfg Config) (*Job, error) {
	d, err := Prepare(top, cfg)
	if err != nil {
		return nil, err
	}
	return d.start(ctx)
}

func (d *Deployment) start(ctx context.Context) (*Job, error) {
	system := d.Config.System
	if system == nil {
		system = newSystem(d.Config.Logger)
	}
	j := &Job{
		d: d, env: env.NewReal(system), own: d.Config.System == nil, events: &coordinator.Events{},
		done: make(chan struct{}), gone: make(chan struct{}), ended: make(chan struct{}),
	}
	begun := make(chan struct{})
	r := &root{
		d: d, env: j.env, events: j.events,
		onDone: j.onDone, onBegun: func() { close(begun) },
		onGone: func() { j.absent.Do(func() { close(j.gone) }) }, onEnded: func() { close(j.ended) },
	}
	stop := func(any) actor.Directive { return actor.StopDirective }
	props := actor.PropsFromProducer(func() actor.Actor { return r }, actor.WithGuardian(actor.NewOneForOneStrategy(0, 0, stop)))
	pid, err := system.Root.SpawnNamed(props, RootID(d.Config.Job))
	if err != nil {
		j.env.Close()
		return nil, fmt.Errorf("spawn %s: %w; a job's name must be unique in its actor system", RootID(d.Config.Job), err)
	}
	<-begun
	j.pid = pid
	j.forget = context.AfterFunc(ctx, func() { j.onDone(coordinator.Result{State: coordinator.Stopped, Err: context.Cause(ctx)}) })
	return j, nil
}

// newSystem makes the job's own actor system. protoactor's throttle of the log
// of dead letters is a goroutine that nobody owns; it lives for a moment only.
func newSystem(log *slog.Logger) *actor.ActorSystem {
	return actor.NewActorSystem(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return log }),
		actor.WithDeadLetterThrottleInterval(time.Millisecond),
	)
}

func (j *Job) onDone(r coordinator.Result) {
	j.once.Do(func() {
		j.result = r
		close(j.done)
	})
}

// Wait waits for the end of the job and of everything that it started. The
// error is nil when it has FINISHED or was stopped or canceled by request; a
// *FailedError with the first cause when it has FAILED; a
// *FencedError when another process took it over; the cause of the
// context given to Start when that ended; a *InDoubtError when
// transactions could not be committed. It may be called again. It waits for
// calls into sources, sinks and functions that are under way: a Read that does
// not heed its context holds it up.
func (j *Job) Wait() error {
	<-j.done
	j.cleanup.Do(j.end)
	return j.result.Err
}

// end stops the actors and waits for them and for all work.
func (j *Job) end() {
	j.forget()
	j.last, _ = j.ask()
	j.env.System().Root.Stop(j.pid)
	<-j.ended
	j.env.Close()
	if j.own {
		j.env.System().Shutdown()
	}
}

// Done is closed when the job has ended, before its actors have.
func (j *Job) Done() <-chan struct{} { return j.done }

// Plan is what runs.
func (j *Job) Plan() *plan.Plan { return j.d.Plan }

// Status tells how the job is, or was when it ended.
func (j *Job) Status() Status {
	select {
	case <-j.ended:
		return j.last
	default:
	}
	s, ok := j.ask()
	if !ok {
		<-j.ended
		return j.last
	}
	return s
}

// ask gets the status from the coordinator; ok is false when it has ended.
func (j *Job) ask() (s Status, ok bool) {
	reply := make(chan Status, 1)
	j.tell(coordinator.GetStatus{Reply: reply})
	select {
	case s := <-reply:
		return s, true
	case <-j.gone:
		return Status{}, false
	}
}

// TriggerCheckpoint takes a checkpoint now and waits until it is published.
func (j *Job) TriggerCheckpoint(ctx context.Context) (messages.CheckpointID, error) {
	reply := make(chan coordinator.TriggerResult, 1)
	j.tell(coordinator.Trigger{Reply: reply})
	select {
	case r := <-reply:
		return r.Checkpoint, r.Err
	case <-j.gone:
		return 0, fmt.Errorf("job %q has ended", j.d.Config.Job)
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// Cancel ends the job as it is and deletes its checkpoints, unless
// Checkpoints.RetainOnCancel. Wait tells when that is done.
func (j *Job) Cancel() { j.tell(coordinator.Cancel{}) }

// Stop ends the sources, takes a last checkpoint, commits it, and ends the job.
// With drain every window fires as at the end of input and the job has
// FINISHED; without, a later Run goes on where it stopped. Wait tells when that
// is done.
func (j *Job) Stop(drain bool) { j.tell(coordinator.Stop{Drain: drain}) }

// Events gives what happens from now on. Up to buffer events wait for the
// reader; then the oldest is dropped and counted. Close the subscription.
func (j *Job) Events(buffer int) *Subscription { return j.events.Subscribe(buffer) }

func (j *Job) tell(m any) {
	j.env.System().Root.Send(actor.NewPID(j.pid.GetAddress(), CoordinatorID(j.d.Config.Job)), m)
}
