package coordinator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
)

// TestAssign: whatever the order in which splits are listed, each goes to one
// subtask, always the same, and no subtask has two more than another. New ones
// keep that as well as they can without moving what is assigned.
func TestAssign(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfNDistinct(rapid.StringMatching("[a-z]{1,4}"), 0, 20, rapid.ID).Draw(t, "ids")
		p := rapid.IntRange(1, 6).Draw(t, "parallelism")
		var splits []*messages.SplitState
		for _, id := range ids {
			splits = append(splits, &messages.SplitState{Id: id, Finished: rapid.Bool().Draw(t, "finished")})
		}
		a, shares := assign(p, splits, nil)
		shuffled := rapid.Permutation(splits).Draw(t, "shuffled")
		if _, other := assign(p, shuffled, nil); !slices.EqualFunc(shares, other, slices.Equal) {
			t.Fatalf("the order of the listing shows: %v and %v", shares, other)
		}
		if slices.Max(a.count)-slices.Min(a.count) > 1 {
			t.Fatalf("unbalanced: %v", a.count)
		}
		before := fmt.Sprint(shares)
		more := rapid.SliceOfNDistinct(rapid.StringMatching("[a-z]{1,4}"), 0, 20, rapid.ID).Draw(t, "more")
		got := slices.Concat(a.add(append(more, ids...))...)
		slices.Sort(got)
		want := slices.DeleteFunc(slices.Sorted(slices.Values(more)), func(id string) bool { return slices.Contains(ids, id) })
		if !slices.Equal(got, want) {
			t.Fatalf("added %v, want %v", got, want)
		}
		if slices.Max(a.count)-slices.Min(a.count) > 1 || before != fmt.Sprint(shares) {
			t.Fatalf("unbalanced after %v: %v", more, a.count)
		}
	})
}

// TestUnite: what a checkpoint has keeps its place, finished or not; what it
// does not have begins where the source said, with no watermark.
func TestUnite(t *testing.T) {
	restored := []*messages.SplitState{{Id: "b", Position: []byte{1}}, {Id: "a", Finished: true}}
	all := unite(restored, map[string][]byte{"c": {7}, "b": {8}, "0": nil})
	var ids []string
	for _, s := range all {
		ids = append(ids, s.GetId())
	}
	if !slices.Equal(ids, []string{"b", "a", "0", "c"}) || all[0] != restored[0] || all[1] != restored[1] {
		t.Errorf("got %v", all)
	}
	if fresh := all[3]; !slices.Equal(fresh.GetPosition(), []byte{7}) || all[2].GetPosition() != nil || fresh.GetWatermark() != messages.NoWatermark {
		t.Errorf("a new split has %v", fresh)
	}
}

// A split that was restored stays with its subtask; only others are spread, and
// only when the parallelism is what it was.
func TestRestoredSplitsStay(t *testing.T) {
	m := &messages.Manifest{Subtasks: []*messages.SubtaskSnapshot{
		{Operators: []*messages.OperatorSnapshot{{Operator: "src", Index: 0, Parallelism: 2, Splits: []*messages.SplitState{newSplit("c", nil)}}}},
		{Operators: []*messages.OperatorSnapshot{{Operator: "src", Index: 1, Parallelism: 2, Splits: []*messages.SplitState{newSplit("a", nil), newSplit("d", nil)}}}},
	}}
	restored, _ := restoredSplits(m, "src")
	all := unite(restored, map[string][]byte{"b": nil})
	a, shares := assign(2, all, homesOf(m, "src", 2))
	if a.owner["c"] != 0 || a.owner["a"] != 1 || a.owner["d"] != 1 || a.owner["b"] != 0 || len(shares[0]) != 2 || len(shares[1]) != 2 {
		t.Errorf("owners %v, shares %v", a.owner, shares)
	}
	if homes := homesOf(m, "src", 3); len(homes) != 0 {
		t.Errorf("homes at another parallelism: %v", homes)
	}
}

// S2, S5: a source says where splits begin that neither a checkpoint nor this run has
// seen, and is told whether it listed splits before. What it once said stays.
func TestSplitsBeginWhereTheSourceSays(t *testing.T) {
	var asked []string
	ids, positions, problem := []string{"a", "b"}, [][]byte{{1}, {2}}, error(nil)
	s := Source{Operator: "src", List: func(context.Context) ([]string, error) { return ids, nil }}
	s.Start = func(_ context.Context, splits []string, again bool) ([][]byte, error) {
		asked = append(asked, fmt.Sprint(splits, again))
		return positions, problem
	}
	j, r := &job{known: map[messages.OperatorID]map[string][]byte{}}, &region{}
	ask := func() error {
		got, starts, err := j.question(r, s).ask(t.Context())
		if err == nil {
			j.learn(&listResult{operator: "src", ids: got, starts: starts})
		}
		return err
	}
	problem = errors.New("no broker")
	if err := ask(); err != problem {
		t.Errorf("got %v, want %v", err, problem)
	}
	problem = nil
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	ids, positions = []string{"c", "a", "b"}, [][]byte{{3}}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	r.restored = &messages.Manifest{Subtasks: []*messages.SubtaskSnapshot{{Operators: []*messages.OperatorSnapshot{{Operator: "src", Splits: []*messages.SplitState{newSplit("r", nil)}}}}}}
	j.known = map[messages.OperatorID]map[string][]byte{}
	ids = []string{"r", "n"}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"[a b] false", "[a b] false", "[c] true", "[n] true"}; !slices.Equal(asked, want) {
		t.Errorf("asked %v, want %v", asked, want)
	}
	if got := fmt.Sprint(j.known["src"]); got != "map[n:[3] r:[]]" {
		t.Errorf("known are %s", got)
	}
	ids = []string{"x", "y"}
	if err := ask(); err == nil || err.Error() != "it gave 1 positions at which 2 splits begin; give one for each" {
		t.Error(err)
	}
}
