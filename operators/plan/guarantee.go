package plan

import (
	"fmt"
	"strings"

	"github.com/weirflow/weir/messages"
)

// Mode is how checkpoints are taken and used.
type Mode int

// The modes, the strictest first.
const (
	ExactlyOnce Mode = iota // barriers are aligned; a failure restores the last checkpoint
	AtLeastOnce             // no channel waits for a barrier; a failure restores the last checkpoint
	AtMostOnce              // nothing is restored
)

func (m Mode) String() string {
	switch m {
	case ExactlyOnce:
		return "exactly-once checkpoints"
	case AtLeastOnce:
		return "at-least-once checkpoints"
	default:
		return "no checkpoints"
	}
}

// Level is what holds end to end: how often a record of a source shows in what
// a sink has written, whatever fails in between.
type Level string

// The levels.
const (
	Exactly     Level = "exactly once"
	Effectively Level = "effectively once" // written again, but with the same content over the same key
	AtLeast     Level = "at least once"
	AtMost      Level = "at most once"
	None        Level = "no guarantee" // may be lost, and may show twice
)

// Guarantee is what holds for one sink, and why.
type Guarantee struct {
	Sink   messages.OperatorID
	Level  Level
	Reason string
}

func (g Guarantee) String() string { return fmt.Sprintf("%s: %s: %s", g.Sink, g.Level, g.Reason) }

// Guarantees says for every sink which guarantee holds end to end: the weakest
// of what its sources, the mode and the sink itself allow.
func (p *Plan) Guarantees(m Mode) []Guarantee {
	var all []Guarantee
	for _, o := range p.Operators {
		if o.Sink != NotASink {
			level, reason := o.guarantee(m)
			all = append(all, Guarantee{Sink: o.Name, Level: level, Reason: reason})
		}
	}
	return all
}

// guarantee judges one sink.
func (o *Operator) guarantee(m Mode) (Level, string) {
	if m == AtMostOnce {
		return o.withoutRestore()
	}
	if lost := o.sourcesThat(false); len(lost) > 0 {
		what := "source " + strings.Join(lost, ", ") + " cannot read again what it read before a failure"
		if o.Sink == PlainSink {
			return None, what + ", and a plain sink shows twice what is written again"
		}
		if m == AtLeastOnce {
			return None, what + ", and records that overtake a barrier count again"
		}
		return AtMost, what
	}
	switch {
	case o.Sink == PlainSink:
		return AtLeast, "a plain sink shows twice what is written again after a failure"
	case m == AtLeastOnce:
		return AtLeast, "records that overtake a barrier count again after a failure"
	case o.Sink == IdempotentSink:
		return Effectively, "sources replay, and the sink overwrites with the same"
	default:
		return Exactly, "sources replay, and the sink commits with the checkpoint"
	}
}

// withoutRestore judges a sink of a job that restores nothing, positions neither:
// a source that can begins anew, with records that may be in the sink already.
func (o *Operator) withoutRestore() (Level, string) {
	if again := o.sourcesThat(true); len(again) > 0 {
		return None, "nothing is restored after a failure, and source " + strings.Join(again, ", ") + " reads from its beginning again"
	}
	return AtMost, "nothing is restored after a failure"
}

// sourcesThat names the sources of o that can replay, or those that cannot.
func (o *Operator) sourcesThat(replay bool) []string {
	var names []string
	for _, s := range o.sources() {
		if s.Source.Replayable == replay {
			names = append(names, fmt.Sprintf("%q", s.Name))
		}
	}
	return names
}
