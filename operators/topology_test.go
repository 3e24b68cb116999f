package operators

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/weirflow/weir/operators/plan"
)

// Everything wrong with a topology is told at once: operator and remedy.
func TestBuildErrors(t *testing.T) {
	ints := func(top *Topology, name string) *Stream[int64] {
		return From(top, name, Slice[int64](), NoWatermarks[int64]())
	}
	out := func(s *Stream[int64], name string) { s.To(name, discardSink[int64]{}) }
	for _, c := range []struct {
		name  string
		build func(top *Topology)
		want  []string
	}{
		{"nothing", func(*Topology) {}, []string{"there is no operator; begin with a source and end with a sink"}},
		{"duplicate name", func(top *Topology) {
			out(Map(ints(top, "a"), "a", func(v int64) int64 { return v }), "out")
		}, []string{`operator "a": the name stands for a source and a map; names are the identity of state, so give one of them another`}},
		{"no name", func(top *Topology) {
			out(Map(ints(top, "a"), "", func(v int64) int64 { return v }), "out")
		}, []string{`the map without a name behind operator "a": give it one; a name is an operator's identity in checkpoints`}},
		{"unconnected stream", func(top *Topology) {
			a := ints(top, "a")
			a.Filter("lonely", func(int64) bool { return true })
			out(a, "out")
		}, []string{`operator "lonely": nobody reads its output; end the stream with To and a sink, or leave the filter out`}},
		{"other topology", func(top *Topology) {
			other := NewTopology("other")
			out(Union(ints(top, "a"), ints(other, "b")), "out")
		}, []string{`operator "a": it is united with "b" of topology "other"; take all streams from one topology`}},
		{"nil functions", func(top *Topology) {
			a := ints(top, "a")
			m := Map[int64, int64](a, "m", nil)
			fm := FlatMap[int64, int64](m.Filter("f", nil), "fm", nil)
			out(fm, "out")
		}, []string{
			`operator "m": its function is nil; give Map one`,
			`operator "f": its function is nil; give Filter one`,
			`operator "fm": its function is nil; give FlatMap one`,
		}},
		{"nil source and sink", func(top *Topology) {
			var none *SliceSource[int64]
			From[int64](top, "a", nil, NoWatermarks[int64]()).To("out", nil)
			From[int64](top, "b", none, NoWatermarks[int64]()).To("out-b", discardSink[int64]{})
		}, []string{
			`operator "a": its source is nil; give From one`,
			`operator "out": its sink is nil; give To one`,
			`operator "b": its source is nil; give From one`,
		}},
		{"parallelism", func(top *Topology) {
			top.MaxParallelism(4).Parallelism(0)
			a := ints(top, "a").Parallelism(0)
			a.To("out", discardSink[int64]{}).Parallelism(5)
		}, []string{
			"Parallelism(0): give at least 1",
			`operator "a": parallelism 0: give at least 1, or leave it out for the topology's default`,
			`operator "out": parallelism 5 is above the topology's max parallelism 4; lower it, or raise MaxParallelism before the first checkpoint`,
		}},
		{"max parallelism", func(top *Topology) {
			top.MaxParallelism(40000)
			out(ints(top, "a"), "out")
		}, []string{"MaxParallelism(40000): give a number in 1..32768"}},
		{"parallelism of a union", func(top *Topology) {
			out(Union(ints(top, "a"), ints(top, "b")).Parallelism(2).Unchained(), "out")
		}, []string{
			`operator "a": Parallelism was called on a union of it, but a union is no operator; set it on the streams that it unites`,
			`operator "a": Unchained was called on a union of it, but a union is no operator; set it on the streams that it unites`,
		}},
		{"source and sink that do not validate", func(top *Topology) {
			From[int64](top, "a", Slice[int64]().InSplits(0), NoWatermarks[int64]()).To("out", invalidSink{})
			From[int64](top, "b", oddSource{info: SourceInfo{Bounded: true, DiscoverEvery: 1}}, NoWatermarks[int64]()).To("out-b", kindlessSink{})
			From[int64](top, "c", oddSource{info: SourceInfo{DiscoverEvery: -1}}, NoWatermarks[int64]()).To("out-c", discardSink[int64]{})
		}, []string{
			`operator "a": its source: InSplits(0): give at least 1`,
			`operator "out": its sink: no folder`,
			`operator "b": its source: it is bounded and has DiscoverEvery; a bounded source lists its splits once, so set one of them only`,
			`operator "out-b": its sink has kind 9; let Kind give Plain, Idempotent or Transactional`,
			`operator "c": its source: DiscoverEvery is -1ns; give an interval above 0, or 0 to list the splits once`,
		}},
		{"watermark strategy", func(top *Topology) {
			a := From(top, "a", Slice[int64](), BoundedOutOfOrderness(-time.Second, itself).Granularity(time.Microsecond).Idle(-time.Second))
			b := From(top, "b", Slice[int64](), Periodic[int64](0, itself, nil))
			out(Union(a, b), "out")
		}, []string{
			`operator "a": watermark strategy: BoundedOutOfOrderness(-1s): give a bound ≥ 0 in whole milliseconds`,
			`Granularity(1µs): give whole milliseconds, or 0 for a watermark whenever it grows`,
			`Idle(-1s): give a duration of at least 1 ms, or 0 for never`,
			`operator "b": watermark strategy: Periodic(0s): give an interval above 0`,
			`the function that makes watermark generators is nil; give one`,
		}},
		{"no wire form", func(top *Topology) {
			type local struct{ F func() }
			m := Map(ints(top, "a"), "m", func(int64) local { return local{} })
			m.To("out", discardSink[local]{}).Parallelism(2)
		}, []string{`operator "m": records on their way to operator "out" may go to another node: operators.local cannot be encoded: operators.local.F is a func: leave it out`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			top := NewTopology("t")
			c.build(top)
			_, err := top.Build()
			wantLines(t, err, c.want...)
		})
	}
}

type invalidSink struct{ discardSink[int64] }

func (invalidSink) Validate() error { return errors.New("no folder") }

type kindlessSink struct{ discardSink[int64] }

func (kindlessSink) Kind() SinkKind { return 9 }

// S85: tags of one name have one type, wherever in the topology they are used.
func TestS85_TagsOfOneNameHaveOneType(t *testing.T) {
	top := NewTopology("t")
	in := From(top, "in", Slice[int64](), NoWatermarks[int64]())
	pass := func(v int64, out *Out[int64]) error { return nil }
	a := FlatMap(in, "a", pass, NewTag[int64]("late"))
	b := FlatMap(a, "b", pass, NewTag[string]("late"))
	b.To("out", discardSink[int64]{})
	SideOutput(a, NewTag[bool]("late")).To("late", discardSink[bool]{})
	SideOutput(b, NewTag[int64]("")).To("none", discardSink[int64]{})
	_, err := top.Build()
	wantLines(t, err,
		`operator "b": side output "late" is a Tag[string] here and a Tag[int64] at operator "a"; a tag's name stands for one type, so give one of them another name`,
		`operator "a": side output "late" is a Tag[bool] here and a Tag[int64] at operator "a"; a tag's name stands for one type, so give one of them another name`,
		`operator "b": a side output's tag has no name; make it with NewTag and a name`)
}

// S85: what nobody writes cannot be read; S84: malformed records cannot vanish.
func TestS84_S85_SideOutputsHaveTwoEnds(t *testing.T) {
	top := NewTopology("t")
	in := From[int64](top, "in", oddSource{info: SourceInfo{Malformed: "bad"}}, NoWatermarks[int64]())
	in.To("out", discardSink[int64]{})
	SideOutput(in, NewTag[int64]("late")).To("late", discardSink[int64]{})
	_, err := top.Build()
	wantLines(t, err,
		`operator "late": it reads side output "late", which operator "in" never writes; pass the tag where that one is defined`,
		`operator "in": it sends malformed records to side output "bad", which nobody reads; read it with SideOutput, or let the source fail on them`)
}

// S40: an operator in event time needs watermarks from every source behind it.
func TestS40_EventTimeNeedsAWatermarkStrategy(t *testing.T) {
	build := func(s WatermarkStrategy[int64]) error {
		top := NewTopology("t")
		a := From(top, "a", Slice[int64](), Monotonous(itself))
		b := From(top, "b", Slice[int64](), s)
		m := Map(Union(a, b), "m", func(v int64) int64 { return v })
		m.legs[0].from.EventTime = true // as windows and event-time timers set it
		m.To("out", discardSink[int64]{})
		_, err := top.Build()
		return err
	}
	wantLines(t, build(NoWatermarks[int64]()),
		`operator "m": it works in event time, but source "b" has no watermark strategy; give its From one, e.g. BoundedOutOfOrderness, or use processing time`)
	if err := build(Monotonous(itself)); err != nil {
		t.Error(err)
	}
}

// S29, S104: the plan of a topology says what holds at each sink, and why.
func TestS29_S104_PlanStatesItsGuarantees(t *testing.T) {
	top := NewTopology("t")
	in := From[string](top, "in", Slice("a"), NoWatermarks[string]())
	in.To("plain", discardSink[string]{})
	in.To("committed", loggedSink{kind: Transactional, log: new([]string)})
	forgetful := From[int64](top, "forgetful", oddSource{}, NoWatermarks[int64]())
	forgetful.To("lost", discardSink[int64]{})
	p, err := top.Build()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, g := range p.Guarantees(plan.ExactlyOnce) {
		lines = append(lines, g.String())
	}
	want := []string{
		"plain: at least once: a plain sink shows twice what is written again after a failure",
		"committed: exactly once: sources replay, and the sink commits with the checkpoint",
		`lost: no guarantee: source "forgetful" cannot read again what it read before a failure, and a plain sink shows twice what is written again`,
	}
	if got := strings.Join(lines, "\n"); got != strings.Join(want, "\n") || !strings.Contains(p.String(), lines[1]) {
		t.Errorf("got\n%s\nwant\n%s\nin\n%s", got, strings.Join(want, "\n"), p)
	}
}

// A handle does not change: what is derived from it leaves it as it was.
func TestStreamsAreImmutable(t *testing.T) {
	top := NewTopology("t")
	a := From(top, "a", Slice[int64](), NoWatermarks[int64]())
	b := From(top, "b", Slice[int64](), NoWatermarks[int64]())
	u := Union(a, b)
	Union(u, a)
	u.Rebalance()
	u.To("out", discardSink[int64]{})
	p, err := top.Build()
	if err != nil {
		t.Fatal(err)
	}
	in := p.Operator("out").Inputs
	if len(in) != 2 || in[0].Partition != plan.Forward || in[0].Port != 0 || in[1].Port != 0 {
		t.Errorf("%d inputs: %v", len(in), in)
	}
}
