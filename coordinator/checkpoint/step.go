package checkpoint

import (
	"fmt"
	"strings"
	"time"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
)

// next does what has become possible: it ends the job, or triggers.
func (p *Protocol) next(now time.Time) []Action {
	if p.done || p.round != nil || !p.allUp() {
		return nil
	}
	if p.over() {
		return p.maybeDone()
	}
	if due, some := p.due(); !some || now.Before(due) {
		return nil
	}
	return p.trigger(now)
}

// due gives the time of the next trigger, unless that waits for an event. Only
// the last checkpoint is owed again after a failure, and that not at once, or
// a store that is down would be asked in a loop.
func (p *Protocol) due() (at time.Time, some bool) {
	switch {
	case p.done || p.round != nil || !p.allUp() || p.over():
		return at, false
	case p.wanted:
		return at, true
	case p.ending || p.allFinished():
		return p.pace.retry, true
	default:
		return p.pace.periodic()
	}
}

func (p *Protocol) trigger(now time.Time) []Action {
	p.newest++
	p.wanted = false
	p.pace.onTriggered(now)
	p.round = &round{
		id:       p.newest,
		deadline: now.Add(p.pace.cfg.Timeout),
		last:     p.ending || p.allFinished(),
		acks:     map[messages.SubtaskID]*messages.SubtaskSnapshot{},
	}
	return []Action{Trigger{ID: p.newest, Last: p.round.last}}
}

// complete tells regions the newest decision and sets the time of the reminder.
func (p *Protocol) complete(now time.Time, regions []int, again bool) Action {
	p.ledger.resend = now.Add(p.pace.cfg.CommitRetry)
	return Complete{ID: p.ledger.decided, Regions: regions, Heard: p.ledger.takeHeard(), Again: again}
}

// remind re-sends the decision to the regions that have not answered in full.
func (p *Protocol) remind(now time.Time) []Action {
	p.ledger.resend = time.Time{}
	var owing []int
	for i := range p.regions {
		if p.regions[i].up && p.ledger.owes(p.regions[i].subtasks) {
			owing = append(owing, i)
		}
	}
	if len(owing) == 0 {
		return nil
	}
	return []Action{p.complete(now, owing, true)}
}

// fail ends the checkpoint under way and counts it. One too many takes all
// regions down, so that nothing is triggered before they have restarted.
func (p *Protocol) fail(now time.Time, reason string) []Action {
	out := p.abort(reason)
	inARow, tooMany := p.pace.onFailed(now)
	if !tooMany {
		return out
	}
	for i := range p.regions {
		p.becomeDown(&p.regions[i])
	}
	return append(out, GiveUp{Failures: inARow, Reason: reason})
}

func (p *Protocol) becomeDown(r *region) {
	r.up = false
	for _, s := range r.subtasks {
		delete(p.finished, s)
	}
}

func (p *Protocol) abort(reason string) []Action {
	id := p.round.id
	p.round = nil
	return []Action{Abort{ID: id, Regions: p.up(), Reason: reason}}
}

// up lists the regions that run.
func (p *Protocol) up() []int {
	var up []int
	for i := range p.regions {
		if p.regions[i].up {
			up = append(up, i)
		}
	}
	return up
}

// over tells whether the last checkpoint is decided and every region stands on
// it. A region that had to fall back to an older one has work to do again.
func (p *Protocol) over() bool {
	if mutant.On("forget-final") && p.allFinished() {
		return true
	}
	for i := range p.regions {
		if p.last == 0 || p.regions[i].base < p.last {
			return false
		}
	}
	return true
}

func (p *Protocol) maybeDone() []Action {
	if p.Unsettled() {
		return nil
	}
	p.done = true
	return []Action{Done{ID: p.last, Final: p.final}}
}

func (p *Protocol) allUp() bool {
	for i := range p.regions {
		if !p.regions[i].up {
			return false
		}
	}
	return true
}

func (p *Protocol) allFinished() bool { return len(p.finished) == len(p.regionOf) }

// collecting tells whether acks of checkpoint id are still awaited.
func (p *Protocol) collecting(id messages.CheckpointID) bool {
	return p.round != nil && p.round.id == id && !p.round.publishing
}

func (p *Protocol) mustPublish(id messages.CheckpointID) *round {
	if p.round == nil || p.round.id != id || !p.round.publishing {
		panic(fmt.Sprintf("checkpoint: outcome of publishing %d, round %+v", id, p.round))
	}
	return p.round
}

// missing names the subtasks that have not acked, the first few of them.
func (p *Protocol) missing() string {
	var names []string
	for i := range p.regions {
		for _, s := range p.regions[i].subtasks {
			if p.round.acks[s] == nil {
				names = append(names, s.String())
			}
		}
	}
	const shown = 5
	if len(names) > shown {
		names = append(names[:shown], fmt.Sprintf("%d more", len(names)-shown))
	}
	return "no ack from " + strings.Join(names, ", ")
}
