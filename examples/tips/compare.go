package main

import (
	"fmt"

	"google.golang.org/protobuf/proto"
)

// A verdict compares what was committed with what had to be. A job is exactly
// once when every count of faults is zero.
type verdict struct {
	Results, Late faults
	Samples       []string // the first faults, in words
}

// faults counts what went wrong with one kind of output.
type faults struct {
	Want       int // what the straight-line program has
	Lost       int // wanted and not there
	Duplicated int // there more often than once
	Wrong      int // there with another value, or not wanted at all
}

func (f faults) none() bool { return f.Lost == 0 && f.Duplicated == 0 && f.Wrong == 0 }

func (v *verdict) exactlyOnce() bool { return v.Results.none() && v.Late.none() }

func compare(want *outcome, got *committed) *verdict {
	v := &verdict{}
	same := func(a, b tally) bool { return a == b }
	v.Results = compareKind(v, "result", want.Results, got.Results, same)
	unchanged := func(a, b *Trip) bool { return proto.Equal(a, b) }
	v.Late = compareKind(v, "late trip", want.Late, got.Late, unchanged)
	return v
}

func compareKind[K comparable, T any](v *verdict, kind string, want map[K]T, got map[K][]T, same func(a, b T) bool) faults {
	f := faults{Want: len(want)}
	fault := func(count *int, n int, what string, key K) {
		*count += n
		if n > 0 && len(v.Samples) < 10 {
			v.Samples = append(v.Samples, fmt.Sprintf("%s %s: %v", kind, what, key))
		}
	}
	for key, wanted := range want {
		copies := got[key]
		switch {
		case len(copies) == 0:
			fault(&f.Lost, 1, "lost", key)
		case !same(wanted, copies[0]):
			fault(&f.Wrong, 1, fmt.Sprintf("is %v, should be %v", copies[0], wanted), key)
		}
		fault(&f.Duplicated, max(0, len(copies)-1), "duplicated", key)
	}
	for key, copies := range got {
		if _, wanted := want[key]; !wanted {
			fault(&f.Wrong, len(copies), "should not be there", key)
		}
	}
	return f
}
