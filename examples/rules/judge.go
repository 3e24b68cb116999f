package main

import (
	"cmp"
	"slices"

	"github.com/weirflow/weir/operators"
)

// judge keeps a payment until both streams are past its time: no rule that was in
// force then can come any more. Rules stay, old ones too, for they are few and a
// payment may wait for any of them.
type judge struct {
	waiting operators.MapState[int64, []Payment]      // of the card, by time
	rules   *operators.BroadcastState[string, []Rule] // by kind, in the order of From
}

func newJudge(s *operators.States[int64], b *operators.BroadcastStates) *judge {
	return &judge{
		waiting: operators.NewMapState[int64, []Payment](s, "waiting"),
		rules:   operators.NewBroadcastState[string, []Rule](b, "rules"),
	}
}

// ProcessElement takes a payment.
func (j *judge) ProcessElement(ctx *operators.Context[int64, Alert], p Payment) error {
	same, _ := j.waiting.Get(p.Ms)
	j.waiting.Put(p.Ms, append(same, p))
	ctx.RegisterEventTimer(p.Ms)
	return nil
}

// ProcessBroadcast takes a rule, in every subtask. The state does not depend on
// the order of rules for different times; the last of two for the same time
// stands.
func (j *judge) ProcessBroadcast(ctx *operators.BroadcastContext[Alert], r Rule) error {
	old, _ := j.rules.Get(r.Kind)
	at, there := slices.BinarySearchFunc(old, r.From, func(r Rule, from int64) int { return cmp.Compare(r.From, from) })
	rules := slices.Insert(slices.Clone(old), at, r)
	if there {
		rules = slices.Delete(rules, at+1, at+2)
	}
	j.rules.Put(ctx, r.Kind, rules)
	return nil
}

// OnTimer judges the card's payments of a time.
func (j *judge) OnTimer(ctx *operators.Context[int64, Alert], time int64, _ operators.Domain) error {
	payments, _ := j.waiting.Get(time)
	for _, p := range payments {
		rules, _ := j.rules.Get(p.Kind)
		if r, ok := inForce(rules, p.Ms); ok && p.Cents > r.Limit {
			ctx.Emit(Alert{Payment: p, Rule: r})
		}
	}
	j.waiting.Delete(time)
	return nil
}

// inForce gives the last rule that began by then, unless it lifts the limit.
func inForce(rules []Rule, ms int64) (Rule, bool) {
	for _, r := range slices.Backward(rules) {
		if r.From <= ms {
			return r, r.Limit >= 0
		}
	}
	return Rule{}, false
}
