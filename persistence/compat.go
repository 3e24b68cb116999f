package persistence

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/weirflow/weir/messages"
)

// IncompatibleError says that a topology cannot go on from a checkpoint. Every
// problem names the operator or state, what it was, what it is, and the remedy.
type IncompatibleError struct {
	Checkpoint messages.CheckpointID
	Problems   []string
}

func (e *IncompatibleError) Error() string {
	return fmt.Sprintf("the topology cannot go on from checkpoint %d: %s", e.Checkpoint, strings.Join(e.Problems, "; "))
}

// CheckOperators tells whether a topology with maxParallelism and the operators
// now can go on from m: it gives nil or an *IncompatibleError with all problems.
// New operators and new states are no problem, they begin empty; nor is another
// parallelism.
func CheckOperators(m *messages.Manifest, maxParallelism int, now []*messages.OperatorMeta) error {
	c := comparison{m: m, was: byName(m.GetOperators()), now: byName(now)}
	if c.nothingInCommon() {
		c.add("it was taken by another topology, with the operators %s, and has none of %s; give this job another name or another store", names(c.was), names(c.now))
	} else {
		c.checkMaxParallelism(maxParallelism)
		c.checkAll()
	}
	if len(c.problems) == 0 {
		return nil
	}
	return &IncompatibleError{Checkpoint: messages.CheckpointID(m.GetCheckpoint()), Problems: c.problems}
}

type comparison struct {
	m        *messages.Manifest
	was, now map[string]*messages.OperatorMeta
	problems []string
}

func (c *comparison) add(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

func (c *comparison) nothingInCommon() bool {
	for name := range c.was {
		if c.now[name] != nil {
			return false
		}
	}
	return len(c.was) > 0
}

func (c *comparison) checkMaxParallelism(now int) {
	if was := int(c.m.GetMaxParallelism()); was != now {
		c.add("max parallelism was %d and is %d now, but keyed state is cut into that many key groups; set it to %d again", was, now, was)
	}
}

func (c *comparison) checkAll() {
	holds := contents(c.m)
	for _, name := range slices.Sorted(maps.Keys(c.was)) {
		was, now := c.was[name], c.now[name]
		what := holds[name]
		if len(was.GetStates()) > 0 {
			what = append([]string{"state"}, what...)
		}
		switch {
		case len(what) == 0:
		case now == nil:
			c.add("operator %q has %s in the checkpoint but is not in the topology%s; give it its old name, or start the job from nothing under another name or store", name, strings.Join(what, " and "), c.candidates(was.GetKind()))
		case len(holds[name]) > 0 && was.GetKind() != now.GetKind():
			c.add("operator %q was of kind %q and is of kind %q now, but has %s in the checkpoint; give the new operator another name and keep the old one, or start the job from nothing", name, was.GetKind(), now.GetKind(), strings.Join(what, " and "))
		default:
			c.checkStates(was, now)
		}
	}
}

// candidates names what the missing operator may be called now.
func (c *comparison) candidates(kind string) string {
	var fresh []string
	for _, name := range slices.Sorted(maps.Keys(c.now)) {
		if c.was[name] == nil && c.now[name].GetKind() == kind {
			fresh = append(fresh, fmt.Sprintf("%q", name))
		}
	}
	if len(fresh) == 0 {
		return ""
	}
	return " (new there, of the same kind: " + strings.Join(fresh, ", ") + ")"
}

func (c *comparison) checkStates(was, now *messages.OperatorMeta) {
	for _, s := range was.GetStates() {
		i := slices.IndexFunc(now.GetStates(), func(n *messages.StateSchema) bool { return n.GetName() == s.GetName() })
		if i < 0 {
			c.add("operator %q: %v", was.GetName(), &SchemaError{State: s.GetName(), Was: s})
		} else if n := now.GetStates()[i]; !sameSchema(s, n) {
			c.add("operator %q: %v", was.GetName(), &SchemaError{State: s.GetName(), Was: s, Now: n})
		}
	}
}

func sameSchema(a, b *messages.StateSchema) bool {
	return a.GetKind() == b.GetKind() && a.GetKey() == b.GetKey() && a.GetValue() == b.GetValue()
}

// contents tells for each operator what a checkpoint holds of it besides
// declared states.
func contents(m *messages.Manifest) map[string][]string {
	holds := map[string][]string{}
	add := func(name, what string, has bool) {
		if has && !slices.Contains(holds[name], what) {
			holds[name] = append(holds[name], what)
		}
	}
	for _, s := range m.GetSubtasks() {
		for _, o := range s.GetOperators() {
			add(o.GetOperator(), "source positions", len(o.GetSplits()) > 0)
			add(o.GetOperator(), "prepared transactions", len(o.GetPrepared()) > 0)
			add(o.GetOperator(), "operator state", len(o.GetCustom()) > 0)
		}
	}
	return holds
}

func byName(ops []*messages.OperatorMeta) map[string]*messages.OperatorMeta {
	m := make(map[string]*messages.OperatorMeta, len(ops))
	for _, o := range ops {
		m[o.GetName()] = o
	}
	return m
}

// names lists up to eight names.
func names(ops map[string]*messages.OperatorMeta) string {
	const most = 8
	all := slices.Sorted(maps.Keys(ops))
	if len(all) > most {
		return strings.Join(all[:most], ", ") + fmt.Sprintf(" and %d more", len(all)-most)
	}
	return strings.Join(all, ", ")
}
