package persistence_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence"
)

func value(name, key, val string) *messages.StateSchema {
	return &messages.StateSchema{Name: name, Kind: "value", Key: key, Value: val}
}

// taken is a manifest of source "trips", operator "tips" with two states, and
// transactional sink "out".
func taken() *messages.Manifest {
	return &messages.Manifest{
		Checkpoint: 12, MaxParallelism: 128,
		Operators: []*messages.OperatorMeta{
			{Name: "trips", Kind: "source"},
			{Name: "clean", Kind: "filter"},
			{Name: "tips", Kind: "process", States: []*messages.StateSchema{value("sum", "string", "int64"), value("last", "string", "string")}},
			{Name: "out", Kind: "sink"},
		},
		Subtasks: []*messages.SubtaskSnapshot{{Operators: []*messages.OperatorSnapshot{
			{Operator: "trips", Splits: []*messages.SplitState{{Id: "a.csv"}}},
			{Operator: "out", Prepared: []*messages.Prepared{{Checkpoint: 12}}},
		}}},
	}
}

func TestCheckOperators(t *testing.T) {
	for _, c := range []struct {
		name   string
		max    int
		change func(m *messages.Manifest) // of what the topology is now
		want   []string                   // problems
	}{
		{"nothing changed", 128, func(*messages.Manifest) {}, nil},
		{"other parallelism", 128, func(m *messages.Manifest) { m.Operators[2].Parallelism = 7 }, nil},
		{"a stateless operator is gone, others are new", 128, func(m *messages.Manifest) {
			m.Operators[1] = &messages.OperatorMeta{Name: "new", Kind: "process", States: []*messages.StateSchema{value("x", "string", "int64")}}
		}, nil},
		{"a new state", 128, func(m *messages.Manifest) {
			m.Operators[2].States = append(m.Operators[2].States, value("new", "string", "int64"))
		}, nil},
		{"max parallelism", 64, func(*messages.Manifest) {},
			[]string{`max parallelism was 128 and is 64 now, but keyed state is cut into that many key groups; set it to 128 again`}},
		{"renamed", 128, func(m *messages.Manifest) { m.Operators[2].Name = "sums" },
			[]string{`operator "tips" has state in the checkpoint but is not in the topology (new there, of the same kind: "sums"); give it its old name, or start the job from nothing under another name or store`}},
		{"a source renamed", 128, func(m *messages.Manifest) { m.Operators[0].Name = "rides" },
			[]string{`operator "trips" has source positions in the checkpoint but is not in the topology (new there, of the same kind: "rides"); give it its old name, or start the job from nothing under another name or store`}},
		{"a sink removed", 128, func(m *messages.Manifest) { m.Operators = m.Operators[:3] },
			[]string{`operator "out" has prepared transactions in the checkpoint but is not in the topology; give it its old name, or start the job from nothing under another name or store`}},
		{"another kind", 128, func(m *messages.Manifest) { m.Operators[3].Kind = "process" },
			[]string{`operator "out" was of kind "sink" and is of kind "process" now, but has prepared transactions in the checkpoint; give the new operator another name and keep the old one, or start the job from nothing`}},
		{"retyped, and a state gone", 128, func(m *messages.Manifest) {
			m.Operators[2].States = []*messages.StateSchema{value("sum", "string", "float64")}
		}, []string{
			`operator "tips": state sum was written as value<string, int64> but is declared as value<string, float64>; keep the types, or give the state another name`,
			`operator "tips": state last is in the checkpoint but not in the topology; declare it again, under its old name`,
		}},
		{"another job", 64, func(m *messages.Manifest) { m.Operators = []*messages.OperatorMeta{{Name: "words"}, {Name: "count"}} },
			[]string{`it was taken by another topology, with the operators clean, out, tips, trips, and has none of count, words; give this job another name or another store`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := proto.CloneOf(taken())
			c.change(now)
			err := persistence.CheckOperators(taken(), c.max, now.Operators)
			var got []string
			if e := (*persistence.IncompatibleError)(nil); errors.As(err, &e) {
				got = e.Problems
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("CheckOperators:\n got %s\nwant %s", strings.Join(got, "\n     "), strings.Join(c.want, "\n     "))
			}
			if err != nil && !strings.HasPrefix(err.Error(), "the topology cannot go on from checkpoint 12: ") {
				t.Error(err)
			}
		})
	}
}
