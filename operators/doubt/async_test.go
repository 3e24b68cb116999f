package doubt

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/operatortest"
)

// asyncCase is a history for calls of which some take their time. One subtask makes
// them, so that the order of all results is known.
type asyncCase struct {
	ordered bool
	shape
	steps []step
}

func (c *asyncCase) String() string {
	var b strings.Builder
	fmt.Fprintln(&b, map[bool]string{true: "async ordered", false: "async unordered"}[c.ordered])
	fmt.Fprintln(&b, c.shape)
	for _, s := range c.steps {
		fmt.Fprintln(&b, s)
	}
	return b.String()
}

func parseAsync(text string) (*asyncCase, error) {
	first, rest, _ := strings.Cut(strings.TrimSpace(text), "\n")
	w, err := parseCase(rest)
	if err != nil {
		return nil, err
	}
	if first != "async ordered" && first != "async unordered" {
		return nil, fmt.Errorf("%q: want async ordered or async unordered", first)
	}
	return &asyncCase{first == "async ordered", w.shape, w.steps}, nil
}

func (c *asyncCase) set(to shape) { c.batch = to.batch }

// slow is how long a call for a value takes, ms.
func slow(v int64) int64 { return max(v-4, 0) }

var errBusy = errors.New("busy")

// service answers a record once its time has come.
type service struct {
	now int64
	due map[string]int64 // by the record's number, ms
}

func (s *service) ask(_ context.Context, r Rec) ([]result, error) {
	if s.now < s.due[r.Text] {
		return nil, errBusy
	}
	return []result{{Value: Rec{Text: r.Text}}}, nil
}

// run has the operator go through the history, and then waits for all results.
func (c *asyncCase) run(t operatortest.TB) outcome {
	s := &service{due: map[string]int64{}}
	r := &runner{windowCase: &windowCase{}, t: t}
	r.h = operatortest.Keyed(t, func(in *operators.Stream[Rec]) *operators.Stream[result] {
		o := operators.AsyncOptions{Retry: operators.AsyncRetry{Attempts: 1 << 30, Backoff: time.Millisecond, MaxBackoff: time.Millisecond}}
		if c.ordered {
			return operators.AsyncOrdered(in, "call", s.ask, o)
		}
		return operators.AsyncUnordered(in, "call", s.ask, o)
	})
	r.h.Batches(c.batch)
	r.steps = byTheMilli(c.steps)
	for i, step := range r.steps {
		switch step.kind {
		case record:
			s.due[fmt.Sprint(r.records+1)] = s.now + slow(step.value)
		case tick:
			s.now += step.ms
		}
		r.step(i)
	}
	r.collect()
	return r.outcome
}

// byTheMilli goes to the end of a history in steps of the clock of 1 ms, so that
// all calls have come back before it.
func byTheMilli(steps []step) (all []step) {
	for _, s := range append(steps[:len(steps):len(steps)], step{kind: tick, ms: 10}, step{kind: end}) {
		switch {
		case s.kind == tick:
			for range s.ms {
				all = append(all, step{kind: tick, ms: 1})
			}
		case s.kind != end:
			all = append(all, s)
		}
	}
	return append(all, step{kind: end})
}

// results is the outcome by definition: those of each record, with no watermark
// between it and where it was, in the order of the records unless that is free.
func (c *asyncCase) results() outcome {
	o := outcome{ended: true}
	wm, spans := messages.NoWatermark, 0
	for _, s := range c.steps {
		switch {
		case s.kind == record:
			cause := spans
			if c.ordered {
				cause = -1 - len(o.outs)
			}
			o.outs = append(o.outs, out{epoch: wm, cause: cause, text: fmt.Sprint(len(o.outs) + 1), time: s.ms})
		case s.kind == watermark && s.ms > wm:
			wm, spans = s.ms, spans+1
		}
	}
	return o
}

func (c *asyncCase) check(t operatortest.TB) (got, difference string) {
	return c.run(t).against(c.results())
}

func drawAsync(t *rapid.T) *asyncCase {
	c := &asyncCase{ordered: rapid.Bool().Draw(t, "ordered"), shape: shape{drawShape(t).batch, 1}}
	for _, s := range drawHistory(t) {
		switch s.kind {
		case end:
			continue
		case restore:
			s.to = 1
		}
		c.steps = append(c.steps, s)
	}
	return c
}
