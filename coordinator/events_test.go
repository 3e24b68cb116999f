package coordinator

import (
	"strconv"
	"testing"
)

// TestEventsDropTheOldest: a reader that does not keep up holds nobody up. It
// loses the oldest events, and how many is counted.
func TestEventsDropTheOldest(t *testing.T) {
	var events Events
	slow, quick := events.Subscribe(3), events.Subscribe(10)
	for i := range 5 {
		events.publish(Event{Text: strconv.Itoa(i)})
	}
	if got := drain(slow); got != "234" || slow.Dropped() != 2 {
		t.Errorf("slow got %q, dropped %d", got, slow.Dropped())
	}
	if got := drain(quick); got != "01234" || quick.Dropped() != 0 {
		t.Errorf("quick got %q, dropped %d", got, quick.Dropped())
	}
	slow.Close()
	slow.Close()
	events.publish(Event{Text: "5"})
	if _, open := <-slow.C(); open {
		t.Error("an event after Close")
	}
	if got := drain(quick); got != "5" {
		t.Errorf("quick got %q", got)
	}
}

func drain(s *Subscription) string {
	text := ""
	for {
		select {
		case e := <-s.C():
			text += e.Text
		default:
			return text
		}
	}
}

// TestHistoryKeepsFirstAndNewest: a job that fails for ever does not grow.
func TestHistoryKeepsFirstAndNewest(t *testing.T) {
	var h history
	for i := range 100 {
		h.add(FailureRecord{Region: i})
	}
	if len(h.records) != maxHistory || h.total != 100 || h.records[0].Region != 0 || h.records[1].Region != 100-maxHistory+1 || h.records[maxHistory-1].Region != 99 {
		t.Errorf("%d of %d: %v", len(h.records), h.total, h.records)
	}
}
