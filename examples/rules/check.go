package main

import (
	"cmp"
	"fmt"
	"slices"
)

// straightLine goes through payments and rules at once, by time: a rule that
// begins with a payment is in force for it.
func straightLine(payments []Payment, rules []Rule) (alerts []Alert) {
	now := map[string]Rule{}
	for _, p := range slices.SortedStableFunc(slices.Values(payments), func(a, b Payment) int { return cmp.Compare(a.Ms, b.Ms) }) {
		for len(rules) > 0 && rules[0].From <= p.Ms {
			now[rules[0].Kind], rules = rules[0], rules[1:]
		}
		if r, ok := now[p.Kind]; ok && r.Limit >= 0 && p.Cents > r.Limit {
			alerts = append(alerts, Alert{p, r})
		}
	}
	return alerts
}

// check compares alerts with the plain program's, whatever their order. Rules are
// in the order of time.
func check(got []Alert, payments []Payment, rules []Rule) error {
	missing := map[Alert]int{}
	for _, a := range straightLine(payments, rules) {
		missing[a]++
	}
	for _, a := range got {
		if missing[a]--; missing[a] < 0 {
			return fmt.Errorf("%+v is one too many, or by the wrong rule", a)
		}
	}
	for a, n := range missing {
		if n > 0 {
			return fmt.Errorf("%+v is missing", a)
		}
	}
	return nil
}
