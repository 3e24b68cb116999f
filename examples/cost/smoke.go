package main

import (
	"errors"
	"fmt"
	"strings"
)

// A floor is half of what was reached on a busy machine, so that a smoke run
// beside other work passes and a real loss does not.
type floor struct {
	work  string // the beginning of a row's name
	least float64
	most  float64 // 0: no upper limit
}

var floors = []floor{
	{"map + filter", 0.16, 0},
	{"running sum", 0.17, 0},
	{"tumbling count", 0.2, 0},
	{"keyed exchange", 0.5, 0},
	{"allocations", 0, 0.16},
	{"snapshot tax", -100, 62},
	{"longest stall", 0, 300},
	{"latency from due time to output at 200 k records/s, p99,", 0, 40},
	{"latency from due time to output at 200 k records/s, p99.9", 0, 100},
}

// judge compares the rows with the floors.
func (b *bench) judge() error {
	var errs []error
	for _, f := range floors {
		for _, r := range b.rows {
			if !strings.HasPrefix(r.work+",", f.work) {
				continue
			}
			if v := r.spread.median; v < f.least || f.most > 0 && v > f.most {
				errs = append(errs, fmt.Errorf("%s: %s is less than half as good as it was (%v to %v)", r.work, number(v, r.unit), f.least, f.most))
			}
		}
	}
	return errors.Join(errs...)
}
