package operatortest

import "testing"

func TestConform(t *testing.T) {
	Conform(t, conformMemory(""))
}

// Conform finds the sinks that are wrong, each in a way of its own.
func TestConformFinds(t *testing.T) {
	for defect, want := range map[string]string{
		"answers without a commit":       "- 2, of t2 (committed), is missing",
		"commit not idempotent":          "+ 0, of t1 (committed), is there once too often",
		"prepared before it is durable":  "- 0, of t1 (committed), is missing",
		"orphan not removed":             `lingers in the end, although each attempt recovered: ["1-0-`,
		"abort after the decision":       "is gone: transaction in doubt",
		"younger ones aborted":           "has not heard of its successor",
		"a transaction is reused":        "(not decided), must not be there",
		"an answer is lost and believed": "the answer is lost",
		"records of a retry stay":        "is there once too often",
	} {
		t.Run(defect, func(t *testing.T) {
			mustFail(t, func(t TB) { Conform(t, conformMemory(defect)) }, "operatortest.Conform: scenario", "what happened: 1. attempt 1 begins", want)
		})
	}
}

// The parts of the scenarios are about as large, and together all of them.
func TestConformParts(t *testing.T) {
	scenarios := func(part, parts int) (count int) {
		sink := conformMemory("")
		outside := sink.Outside
		sink.Part, sink.Parts = part, parts
		sink.Outside = func() ConformOutside[int] { count++; return outside() }
		Conform(t, sink)
		return count
	}
	all, parts, sum := scenarios(0, 0), 5, 0
	for part := range parts {
		n := scenarios(part, parts)
		sum += n
		// One of each series finds out that it has ended.
		if n < all/parts || n > all/2 {
			t.Errorf("part %d has %d scenarios of %d", part, n, all)
		}
	}
	if sum < all {
		t.Errorf("%d scenarios in %d parts, want all %d", sum, parts, all)
	}
	for _, part := range []int{-1, 5} {
		mustFail(t, func(t TB) { Conform(t, ConformSink[int]{Part: part, Parts: 5}) }, "there is no part")
	}
}
