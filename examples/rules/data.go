package main

import "time"

// kinds of payments, by what they cost.
var kinds = []string{"groceries", "fuel", "clothes", "travel"}

// generate makes n payments, twenty seconds apart, and rules: a limit for each
// kind but travel at first, then a change every six hours of one kind after the
// other, at the moment of a payment. On the fourth day limits are lifted.
func generate(n int64) (payments []Payment, rules []Rule) {
	first := time.Date(2019, 3, 23, 0, 0, 0, 0, time.UTC).UnixMilli()
	for i := range n {
		kind := i * 7 % 4
		payments = append(payments, Payment{Card: i * i % 97, Kind: kinds[kind], Cents: i * 7919 % (10_000 * (kind + 1)), Ms: first + i*20_000})
	}
	for i, kind := range kinds[:3] {
		rules = append(rules, Rule{Kind: kind, Limit: int64(i+1) * 9_500, From: first})
	}
	for i := int64(1); i*1080 < n; i++ {
		kind, limit := i%4, (i*37%50*20+8_900)*(i%4+1)
		if i/4 == 3 {
			limit = -1
		}
		rules = append(rules, Rule{Kind: kinds[kind], Limit: limit, From: payments[i*1080].Ms})
	}
	return payments, rules
}
