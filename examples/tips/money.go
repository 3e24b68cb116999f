package main

import (
	"errors"
	"strconv"
	"strings"
)

var errNotCents = errors.New("not an amount with at most two decimals")

// parseCents reads an amount such as "2.15" or "-7.5" as cents. It works on the
// digits: 2.15 has no exact binary fraction, and sums must be exact.
func parseCents(s string) (int64, error) {
	unsigned, negative := strings.CutPrefix(s, "-")
	whole, fraction, _ := strings.Cut(unsigned, ".")
	if len(fraction) > 2 {
		fraction = strings.TrimRight(fraction, "0")
	}
	if whole == "" || len(fraction) > 2 {
		return 0, errNotCents
	}
	cents, err := strconv.ParseUint(whole+(fraction + "00")[:2], 10, 62)
	if err != nil {
		return 0, errNotCents
	}
	if negative {
		return -int64(cents), nil
	}
	return int64(cents), nil
}
