package doubt

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// newStepwise makes subtasks of a window of 5 ms that fires in steps of some results; 0:
// all at once.
func newStepwise(t *testing.T, results int, lateness int64) *skew {
	s := newSkew(t, &windowCase{windows: "tumbling", size: 5, trigger: "default", form: "aggregate", lateness: lateness})
	s.many = results
	return s
}

func (s *skew) step(task *skewTask) {
	s.t.Helper()
	if st := task.instance.(plan.Stepper); st.Pending() {
		s.must(st.Step())
	}
}

func (s *skew) end(task *skewTask) {
	s.t.Helper()
	s.mark(task, messages.MaxWatermark)
	for task.instance.(plan.Stepper).Pending() {
		s.step(task)
	}
}

// bringTo brings a record of any key to the subtask that has it.
func (s *skew) bringTo(tasks []*skewTask, key string, v, ms int64) {
	s.t.Helper()
	g := s.groupOf(key)
	i := slices.IndexFunc(tasks, func(t *skewTask) bool { return t.groups.Contains(g) })
	s.must(tasks[i].instance.Process(0, &plan.Batch{Values: &[]Rec{{Key: key, V: v}}, Times: []int64{ms}}))
}

// another gives a key of the same subtask as the n-th of s.keys.
func (s *skew) another(n int) string {
	for k := 100; ; k++ {
		if messages.SubtaskOf(s.groupOf(fmt.Sprint(k)), 2, s.max) == n {
			return fmt.Sprint(k)
		}
	}
}

// aheadAndBehind gives one subtask that is restored from two: the first was at 24, and two
// keys owed the window [15,20) there; the second was at 9, and a key had a record in
// [10,15).
func aheadAndBehind(t *testing.T, results int) (*skew, *skewTask) {
	s := newStepwise(t, results, 0)
	ahead, behind := s.start(0, 2), s.start(1, 2)
	s.mark(ahead, 9)
	s.mark(behind, 9)
	s.bring(ahead, 0, 17)
	s.bringTo([]*skewTask{ahead, behind}, s.another(0), 1, 17)
	s.bring(behind, 1, 12)
	s.mark(ahead, 14)
	s.mark(ahead, 24)
	return s, s.start(0, 1, ahead, behind)
}

// S66, S110: groups that stood at different watermarks come together in the middle of a
// firing. What the clock of the second makes due afterwards goes before what the first
// had pending, nothing is lost, and no watermark leaves before a result that it covers:
// with a further watermark before the first step, with one that only the second needs,
// and with another restart in between.
func TestStepsOfGroupsApart(t *testing.T) {
	for _, c := range []struct {
		name string
		then func(s *skew, task *skewTask) *skewTask
	}{
		{"a watermark before the first step", func(s *skew, task *skewTask) *skewTask {
			s.mark(task, 25)
			return task
		}},
		{"a watermark of the one behind", func(s *skew, task *skewTask) *skewTask {
			s.mark(task, 14)
			for range 20 {
				s.step(task)
			}
			return task
		}},
		{"restored again", func(s *skew, task *skewTask) *skewTask {
			s.mark(task, 25)
			return s.start(0, 1, task)
		}},
	} {
		s, task := aheadAndBehind(t, 1)
		if task.left != 9 {
			t.Errorf("%s: it begins with the watermark %d, want 9", c.name, task.left)
		}
		again := c.then(s, task)
		s.end(again)
		outs, behind := task.outs, task.behind
		if again != task {
			outs, behind = append(outs, again.outs...), append(behind, again.behind...)
		}
		slices.Sort(outs)
		if got := strings.Join(outs, ", "); got != "-1 [15,20) 1, 0 [15,20) 1, 1 [10,15) 1" {
			t.Errorf("%s: %s", c.name, got)
		}
		if len(behind) > 0 {
			t.Errorf("%s: %q", c.name, behind)
		}
	}
}

// S66, S110, S111: scripts of records, watermarks of each subtask for itself, steps and
// restores at any parallelism: the results of each key and the number of late records
// are those without steps, and none comes behind a watermark that covers it.
func TestStepsOfGroupsApartAtRandom(t *testing.T) {
	for seed := range uint64(200) {
		lateness := int64(seed%3/2) * 7
		want, wantLate, _ := playApart(newStepwise(t, 0, lateness), seed, lateness)
		got, gotLate, behind := playApart(newStepwise(t, 1+int(seed%4), lateness), seed, lateness)
		if got != want || gotLate != wantLate || len(behind) > 0 && lateness == 0 {
			t.Fatalf("seed %d: %d late, want %d; behind their watermark: %q\n%s\nwant\n%s", seed, gotLate, wantLate, behind, got, want)
		}
	}
}

// playApart plays a script, and gives the results by key, how many records were late,
// and results behind their watermarks.
func playApart(s *skew, seed uint64, lateness int64) (results string, late int64, behind []string) {
	script, steps := rand.New(rand.NewPCG(seed, 0)), rand.New(rand.NewPCG(seed, 1))
	var all, tasks []*skewTask
	restart := func() {
		from, p := tasks, 1+script.IntN(3)
		tasks = nil
		for i := range p {
			tasks = append(tasks, s.start(i, p, from...))
		}
		all = append(all, tasks...)
	}
	restart()
	for i, base := 0, int64(0); i < 250; i++ {
		switch k := script.IntN(12); {
		case k < 9:
			s.bringTo(tasks, fmt.Sprint(script.IntN(30)), int64(i)<<5|1, base-6+script.Int64N(30))
		case k < 11:
			base += script.Int64N(9)
			for _, task := range tasks {
				if m := base + script.Int64N(15); m > task.watermark {
					s.mark(task, m)
				}
			}
		default:
			restart()
		}
		for _, task := range tasks {
			for range steps.IntN(2) {
				s.step(task)
			}
		}
	}
	for _, task := range tasks {
		s.end(task)
	}
	return s.summary(all)
}

func (s *skew) summary(all []*skewTask) (results string, late int64, behind []string) {
	byKey := map[string][]string{}
	for _, task := range all {
		for _, line := range task.log {
			if key, result, ok := strings.Cut(line, "="); ok {
				byKey[key] = append(byKey[key], result)
			}
		}
		late += int64(*task.counter(lateDropped))
		behind = append(behind, task.behind...)
	}
	for k := range 30 {
		results += fmt.Sprintln(k, byKey[fmt.Sprint(k)])
	}
	return results, late, behind
}

// S23: one batch has many watermarks, and each makes due just what a step gives. What
// does not wait for a step is that much and no more.
func TestStepsOfManyWatermarks(t *testing.T) {
	s := newStepwise(t, 10, 0)
	task := s.start(0, 1)
	for pane := range int64(50) {
		for k := range 10 {
			s.bringTo([]*skewTask{task}, fmt.Sprint(k), 1, pane*5)
		}
	}
	b := &plan.Batch{Values: &[]Rec{}}
	for pane := range int64(50) {
		b.Marks = append(b.Marks, plan.Mark{Watermark: pane*5 + 4})
	}
	s.must(task.instance.Process(0, b))
	if n := len(task.outs); n != 10 {
		t.Errorf("%d results came out at once, want the 10 of a step", n)
	}
	for task.instance.(plan.Stepper).Pending() {
		was := len(task.outs)
		if s.step(task); len(task.outs)-was > 20 {
			t.Errorf("a step gave %d results, want about 10", len(task.outs)-was)
		}
	}
	if got := strings.Count(strings.Join(task.log, " "), "--"); len(task.outs) != 500 || got != 50 {
		t.Errorf("%d results and %d watermarks, want 500 and 50", len(task.outs), got)
	}
}

// S23: watermarks that wait behind a firing are bounded, and the last of them leaves.
func TestWaitingWatermarksAreBounded(t *testing.T) {
	s := newStepwise(t, 1, 0)
	task := s.start(0, 1)
	for k := range 10 {
		s.bringTo([]*skewTask{task}, fmt.Sprint(k), 1, 1)
	}
	for m := range int64(5000) {
		s.mark(task, 4+m)
	}
	for task.instance.(plan.Stepper).Pending() {
		s.step(task)
	}
	if n := strings.Count(strings.Join(task.log, " "), "--"); n > 300 || task.left != 5003 || len(task.outs) != 10 {
		t.Errorf("%d watermarks and %d results came out, the last watermark is %d; want at most 300, 10, and 5003", n, len(task.outs), task.left)
	}
}
