package main

import (
	"errors"
	"fmt"
	"strings"
)

// A floor is half of what BENCHMARKS.md says was reached. The best of a few
// short runs must reach it, for other work on the machine only makes them worse.
type floor struct {
	work  string // the beginning of a row's name
	least float64
	most  float64 // 0: no upper limit
}

var floors = []floor{
	{"map + filter", 0.25, 0},
	{"running sum", 0.38, 0},
	{"tumbling count", 0.37, 0},
	{"sliding count", 0.33, 0},
	{"session count", 0.17, 0},
	{"interval join", 0.1, 0},
	{"sliding 1 h", 0, 2.8},
	{"keyed process", 0.42, 0},
	{"memory of a timer", 0, 72},
	{"firing a window", 15, 0},
	{"the subtask is away", 0, 70},
	{"keyed exchange", 1, 0},
	{"allocations", 0, 0.05}, // short runs: the start weighs more
	{"snapshot tax", 0, 10},
	{"longest stall", 0, 20},
	{"latency from due time to output at 200 k records/s, p99,", 0, 6},
	{"latency from due time to output at 200 k records/s, p99.9", 0, 15},
}

// missed tells whether not even the best run was good enough, and how good it was.
func (f floor) missed(s spread) (best float64, missed bool) {
	if f.most > 0 {
		return s.least, s.least > f.most
	}
	return s.most, s.most < f.least
}

// judge compares the rows with the floors.
func (b *bench) judge() error {
	var errs []error
	for _, f := range floors {
		for _, r := range b.rows {
			if !strings.HasPrefix(r.work+",", f.work) {
				continue
			}
			if v, missed := f.missed(r.spread); missed {
				errs = append(errs, fmt.Errorf("%s: %s at best, which is less than half as good as it was (least %v, most %v)", r.work, number(v, r.unit), f.least, f.most))
			}
		}
	}
	return errors.Join(errs...)
}
