package main

import "testing"

// Engine and loop give the same on every work; a figure of a work that is done
// wrong is none.
func TestWorksAgree(t *testing.T) {
	in := newInput(50_000, 1000, 3)
	for _, w := range []*work{mapFilter(in), runningSum(in), tumblingCount(in), slidingCount(in), sessions(in), joins(in), timers(in)} {
		if _, err := alternate(w, 1); err != nil {
			t.Error(err)
		}
	}
	b := &bench{pairs: 1}
	want := runningSum(in).loop(in)
	for cores := 1; cores <= 2; cores++ {
		if _, err := b.exchangeOn(cores, in.split(cores), want); err != nil {
			t.Error(err)
		}
	}
}

// The comparison sees a record that is missing, doubled or changed.
func TestOutputsDiffer(t *testing.T) {
	var want output
	want.add(1, 2)
	want.add(3, 4)
	for name, pairs := range map[string][][2]int64{
		"missing": {{1, 2}}, "doubled": {{1, 2}, {3, 4}, {3, 4}}, "changed": {{1, 2}, {3, 5}}, "swapped": {{1, 4}, {3, 2}},
	} {
		var got output
		for _, p := range pairs {
			got.add(p[0], p[1])
		}
		if got == want {
			t.Errorf("%s: not seen", name)
		}
	}
}

func TestLatenciesCountEveryRecord(t *testing.T) {
	p99, p999, err := latencies(5000, 1)
	if err != nil || p99 <= 0 || p999 < p99 {
		t.Errorf("p99 %v, p99.9 %v, %v", p99, p999, err)
	}
}

// The best run counts: other work on the machine must not fail a smoke run.
func TestFloors(t *testing.T) {
	b := &bench{rows: []row{{work: "map + filter, p=1", spread: spread{most: 0.01}}, {work: "longest stall of", spread: spread{least: 1e6}}}}
	if b.judge() == nil {
		t.Error("two bad rows passed")
	}
	b.rows = []row{{work: "map + filter, p=1", spread: spread{median: 0.01, most: 10}}, {work: "longest stall of", spread: spread{median: 1e6, most: 1e6}}}
	if err := b.judge(); err != nil {
		t.Error(err)
	}
}
