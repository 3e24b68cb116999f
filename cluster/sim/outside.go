package sim

import (
	"fmt"
	"math/rand/v2"

	"github.com/weirflow/weir/operators"
)

// Outside is what lies outside a job, its sources, its sinks and chance, as one
// process sees it, or the oracle. It outlives the processes: what a dead one does
// through it has no effect.
type Outside struct {
	*things
	env    *nodeEnv // nil for the oracle
	deploy int      // see Faults.Redeploys
}

// things are what all processes of a world have in common.
type things struct {
	w       *World
	params  params
	inputs  map[string]any // by source: *input[T]
	ledgers map[string]*ledger
	order   []*ledger // in the order they were first used
	checks  *checks
	panics  int // errors of user functions that are due
	chance  *rand.Rand
	note    string // see Outside.Note
}

// Seed tells worlds apart.
func (o *Outside) Seed() uint64 { return o.w.config.Seed }

// Draw gives a number from..to, both included. It depends on the seed and the
// name alone, so every process gets the same.
func (o *Outside) Draw(name string, from, to int) int {
	return from + o.Rand(name).IntN(to-from+1)
}

// Parallelism draws a parallelism, 1..most. Another deployment of the job, see
// Faults.Redeploys, gets another one.
func (o *Outside) Parallelism(name string, most int) int {
	return o.Draw(fmt.Sprintf("parallelism of %s, deployment %d", name, o.deploy), 1, most)
}

// Rand gives a source of chance that depends on the seed and the name alone.
func (o *Outside) Rand(name string) *rand.Rand { return o.w.Rand("outside " + name) }

// Note says in words what was drawn. A failure shows it, above the plan; the last
// one counts.
func (o *Outside) Note(text string) { o.note = text }

// Fail ends the run. It is for what a function of the topology finds wrong; said by
// a process that is dead it has no effect.
func (o *Outside) Fail(format string, args ...any) {
	if o.alive() {
		o.w.fail(fmt.Errorf(format, args...))
	}
}

// MayFail panics now and then, as Faults.Panics says. Call it in a function of
// the topology.
func (o *Outside) MayFail() {
	if o.takePanic() {
		panic("the simulation has this function fail")
	}
}

// mayFail is MayFail for what can return errors as well.
func (o *Outside) mayFail() error {
	if !o.takePanic() {
		return nil
	}
	if o.chance.IntN(2) == 0 {
		panic("the simulation has this function fail")
	}
	return fmt.Errorf("the simulation has this function fail")
}

func (o *Outside) takePanic() bool {
	if o.panics == 0 || !o.alive() {
		return false
	}
	o.panics--
	o.w.logFault("failure of a user function in %s", o.env.life.name())
	return true
}

// alive is asked before anything takes effect.
func (o *Outside) alive() bool { return o.env != nil && Alive(o.env) }

var errDead = fmt.Errorf("the process that does this is dead")

// act lets a call take effect, or fail before or after it, at chance p. An error
// of effect comes first. Steps lie around it, where the process may end.
func (o *Outside) act(step func(string), p float64, what string, effect func() error) error {
	step(what)
	if !o.alive() {
		return errDead
	}
	fault := !o.w.Kind() && o.chance.Float64() < p
	before := fault && o.chance.IntN(2) == 0
	if before {
		return fmt.Errorf("%s: the simulation has it fail before it took effect", what)
	}
	if err := effect(); err != nil {
		return err
	}
	step(what + ".done")
	if fault {
		return fmt.Errorf("%s: the simulation has it fail after it took effect", what)
	}
	return nil
}

// encoding gives the bytes by which records of a type are compared.
func encoding[T any]() func(v T) (string, error) {
	codec, err := operators.CodecOf[T]()
	return func(v T) (string, error) {
		if err != nil {
			return "", err
		}
		p, err := codec.Append(nil, v)
		return string(p), err
	}
}

// showing is a record as %+v shows it.
func showing[T any](record string) string {
	if codec, err := operators.CodecOf[T](); err == nil {
		if v, _, err := codec.Decode([]byte(record)); err == nil {
			return fmt.Sprintf("%+v", v)
		}
	}
	return fmt.Sprintf("%q", record)
}
