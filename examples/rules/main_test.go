package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/weirflow/weir/operators/files"
	"github.com/weirflow/weir/operators/operatortest"
)

// S75: every payment is judged once by the rule in force, and what the check
// demands is there. Running it again changes nothing.
func TestRules(t *testing.T) {
	folder := t.TempDir() + "/out/rules"
	payments, rules := generate(20_000)
	for range 2 {
		if err := run(folder, payments, rules); err != nil {
			t.Fatal(err)
		}
		alerts, err := files.ReadAll[Alert](folder+"/alerts", files.AsJSONLines)
		if err != nil {
			t.Fatal(err)
		}
		if err := check(alerts, payments, rules); err != nil {
			t.Error(err)
		}
		var out bytes.Buffer
		if report(&out, alerts, rules); len(alerts) < 100 || !strings.Contains(out.String(), " none       0\n") {
			t.Errorf("printed\n%s", out.String())
		}
	}
}

// S75: rules that come while payments wait, before them and behind them give the
// same alerts, with any batches, on any number of subtasks and after any restart.
func TestS75_TheRuleInForce(t *testing.T) {
	a, b, c := Payment{1, "fuel", 50, 10}, Payment{2, "fuel", 50, 20}, Payment{1, "fuel", 50, 21}
	strict, loose, none := Rule{"fuel", 40, 5}, Rule{"fuel", 60, 20}, Rule{"fuel", -1, 30}
	again := Rule{"fuel", 49, 21}
	operatortest.RunTwoInputScript(t, judged, operatortest.NewTwoInputScript[Payment, Rule, Alert]().
		Key(func(a Alert) any { return a.Payment.Card }).
		ProcessA(a, 10).ProcessA(b, 20).WatermarkA(20).
		Expect(). // no rule could come any more, were there not the other stream
		ProcessB(strict, 5).WatermarkB(19).
		Expect(operatortest.At(Alert{a, strict}, 10)).
		ProcessB(loose, 20).ProcessB(again, 21).ProcessB(none, 30).WatermarkB(40).
		Expect(). // b: what begins with it is in force
		ProcessA(c, 21).ProcessA(Payment{2, "fuel", 1000, 30}, 30).ProcessA(Payment{2, "travel", 1000, 30}, 30).
		End().
		Expect(operatortest.At(Alert{c, again}, 21)))
}

// What was judged is forgotten; a payment that waits has a timer.
func TestNothingWaitsAtTheEnd(t *testing.T) {
	h := operatortest.Two(t, judged)
	payments, rules := generate(200)
	for _, p := range payments {
		h.ProcessA(p, p.Ms)
	}
	if h.Timers() != 200 {
		t.Errorf("%d timers", h.Timers())
	}
	for _, r := range rules {
		h.ProcessB(r, r.From)
	}
	h.End()
	if h.StateSize() != 0 || h.Timers() != 0 {
		t.Errorf("%d entries, %d timers", h.StateSize(), h.Timers())
	}
	var alerts []Alert
	for _, r := range h.Output() {
		alerts = append(alerts, r.Value)
	}
	if err := check(alerts, payments, rules); err != nil {
		t.Error(err)
	}
}

// Two rules for one time: the last stands, wherever it comes in.
func TestRulesInDisorder(t *testing.T) {
	h := operatortest.Two(t, judged)
	for _, r := range []Rule{{"fuel", 30, 30}, {"fuel", 10, 10}, {"fuel", 20, 20}, {"fuel", 11, 10}} {
		h.ProcessB(r, r.From)
	}
	var limits []int64
	for _, ms := range []int64{9, 10, 19, 20, 35} {
		h.ProcessA(Payment{1, "fuel", 99, ms}, ms)
	}
	h.End()
	for _, r := range h.Output() {
		limits = append(limits, r.Value.Rule.Limit)
	}
	if !slices.Equal(limits, []int64{11, 11, 20, 30}) {
		t.Errorf("limits %v", limits)
	}
}

// The check finds what is missing, what is there twice, and what another rule
// would have told of.
func TestCheckFinds(t *testing.T) {
	p, rules := Payment{1, "fuel", 50, 10}, []Rule{{"fuel", 20, 0}, {"fuel", 40, 10}}
	good := []Alert{{p, rules[1]}}
	if err := check(good, []Payment{p}, rules); err != nil {
		t.Fatal(err)
	}
	if check(nil, []Payment{p}, rules) == nil || check(slices.Repeat(good, 2), []Payment{p}, rules) == nil || check([]Alert{{p, rules[0]}}, []Payment{p}, rules) == nil {
		t.Error("it found nothing")
	}
}
