package plan

import (
	"testing"

	"github.com/weirflow/weir/messages"
)

// fingerprintOf builds source → sum → out, changed by change.
func fingerprintOf(t *testing.T, change func(s *Spec, source, sum, out *Operator)) (*Plan, string) {
	source := &Operator{Name: "in", Kind: "source", Source: &SourceSpec{Replayable: true}}
	sum := &Operator{Name: "sum", Kind: "reduce", States: []*messages.StateSchema{{Name: "sum", Kind: "value", Key: "int64", Value: "int64"}}}
	out := &Operator{Name: "out", Kind: "sink", Sink: PlainSink}
	sum.Inputs = []*Edge{{From: source, To: sum, Partition: Hash, Type: rows{}, Keyer: intKeyer{}}}
	out.Inputs = []*Edge{{From: sum, To: out, Type: rows{}}}
	s := Spec{Name: "test", MaxParallelism: 128, Parallelism: 1, Operators: []*Operator{source, sum, out}}
	change(&s, source, sum, out)
	p, err := Build(s)
	if err != nil {
		t.Fatal(err)
	}
	return p, p.Fingerprint()
}

// The value is written into manifests, so it must never change by accident.
func TestFingerprintIsStable(t *testing.T) {
	const want = "6579d3db41765d2e1ebc0f6ef00d45a0"
	_, got := fingerprintOf(t, func(*Spec, *Operator, *Operator, *Operator) {})
	if got != want {
		t.Errorf("fingerprint %s, was %s when it was written down", got, want)
	}
}

func TestFingerprintSeesWhatMatters(t *testing.T) {
	_, base := fingerprintOf(t, func(*Spec, *Operator, *Operator, *Operator) {})
	for _, c := range []struct {
		name   string
		change func(s *Spec, source, sum, out *Operator)
		same   bool
	}{
		{"parallelism", func(s *Spec, _, sum, _ *Operator) { s.Parallelism, sum.Parallelism = 4, 3 }, true},
		{"chaining", func(_ *Spec, _, sum, _ *Operator) { sum.Unchained = true }, true},
		{"detail", func(_ *Spec, _, sum, _ *Operator) { sum.Detail = "other" }, true},
		{"topology name", func(s *Spec, _, _, _ *Operator) { s.Name = "other" }, true},
		{"max parallelism", func(s *Spec, _, _, _ *Operator) { s.MaxParallelism = 64 }, false},
		{"operator name", func(_ *Spec, _, sum, _ *Operator) { sum.Name = "total" }, false},
		{"kind", func(_ *Spec, _, sum, _ *Operator) { sum.Kind = "window" }, false},
		{"state", func(_ *Spec, _, sum, _ *Operator) { sum.States[0].Value = "int32" }, false},
		{"key", func(_ *Spec, _, sum, _ *Operator) { sum.Inputs[0].Partition, sum.Inputs[0].Keyer = Forward, nil }, false},
		{"edge", func(_ *Spec, source, sum, out *Operator) {
			out.Inputs = append(out.Inputs, &Edge{From: source, To: out, Type: rows{}})
		}, false},
	} {
		if _, got := fingerprintOf(t, c.change); (got == base) != c.same {
			t.Errorf("%s changed: fingerprint equal %v, want %v", c.name, got == base, c.same)
		}
	}
}

func TestMetasDescribeOperators(t *testing.T) {
	p, _ := fingerprintOf(t, func(s *Spec, _, _, _ *Operator) { s.Parallelism = 3 })
	metas := p.Metas()
	if len(metas) != 3 {
		t.Fatalf("%d metas of 3 operators", len(metas))
	}
	sum := metas[1]
	if sum.Name != "sum" || sum.Kind != "reduce" || sum.Parallelism != 3 || len(sum.States) != 1 || sum.States[0].Name != "sum" {
		t.Errorf("got %v", sum)
	}
}

// Build copies: a topology that grows on leaves the plan as it was, and builds
// again.
func TestBuildTwice(t *testing.T) {
	var spec Spec
	first, print := fingerprintOf(t, func(s *Spec, _, _, _ *Operator) { spec = *s })
	text := first.String()
	spec.Operators[1].Name = "changed"
	if first.String() != text || first.Fingerprint() != print {
		t.Error("the plan changed with the topology")
	}
	spec.Operators[1].Name = "sum"
	again, err := Build(spec)
	if err != nil || again.String() != text {
		t.Errorf("built again: %v\n%s", err, again)
	}
}
