package sim

import (
	"context"
	"iter"
	"runtime/debug"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirflow/weir/actors/env"
)

// work is a function given to Env.Work. It runs as a coroutine: alone, but in
// parts, which end where it calls Step. So two nodes that write to one store can
// come between each other's writes, though there is only one goroutine at a time.
type work struct {
	life   *life
	to     *actor.PID
	name   string
	cancel context.CancelFunc

	next   func() (struct{}, bool) // runs the next part; false after the last
	stop   func()                  // ends it in the middle
	yield  func(struct{}) bool     // called in it: ends a part; false if stopped
	result any                     // once the last part has run
	nap    time.Duration           // until the next part, if it asked for one
}

func newWork(l *life, to *actor.PID, name string, f func(ctx context.Context) any) *work {
	ctx, cancel := context.WithCancel(context.Background())
	k := &work{life: l, to: to, name: name, cancel: cancel}
	k.next, k.stop = iter.Pull(func(yield func(struct{}) bool) {
		k.yield = yield
		k.run(ctx, f)
	})
	return k
}

func (k *work) run(ctx context.Context, f func(ctx context.Context) any) {
	defer k.cancel()
	defer func() {
		if v := recover(); v != nil {
			k.result = &env.WorkPanic{Name: k.name, Value: v, Stack: debug.Stack()}
		}
	}()
	k.result = f(ctx)
}

func (k *work) proceedSoon() {
	w := k.life.world
	w.schedule(k.life, w.now+w.faults.Work.draw(w.rand), "work "+k.name, k.proceed)
}

// proceed runs the next part. The result travels for a while, too: a node that
// dies in between has had the effect and never learns of it.
func (k *work) proceed() {
	w := k.life.world
	w.current.work = k
	_, more := k.next()
	switch {
	case k.life.dead: // it died in this part, and was not stopped by abandon
		k.stop()
	case more && k.nap > 0:
		w.schedule(k.life, w.now+k.nap, "work "+k.name, k.proceed)
		k.nap = 0
	case more:
		k.proceedSoon()
	default:
		k.life.works = slices.DeleteFunc(k.life.works, func(other *work) bool { return other == k })
		w.schedule(k.life, w.now+w.faults.Work.draw(w.rand), "done "+k.name, k.report)
	}
}

func (k *work) report() {
	if k.result != nil {
		k.life.system.Root.Send(k.to, k.result)
	}
}

// sleep ends a part; the next begins after d.
func (k *work) sleep(d time.Duration) {
	k.nap = d
	k.letOthersGo()
}

// letOthersGo ends a part. It does not return if the node dies meanwhile.
func (k *work) letOthersGo() {
	if !k.yield(struct{}{}) {
		panic(killed{k.life.name()})
	}
}

// abandon ends a work whose node is dead, unless it is the one that runs now:
// that one ends at its next Step.
func (k *work) abandon() {
	k.cancel()
	if k.life.world.current.work != k {
		k.stop()
	}
}
