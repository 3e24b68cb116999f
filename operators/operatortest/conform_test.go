package operatortest

import "testing"

func TestConform(t *testing.T) {
	k := conformKit[int]{sink: conformMemory("")}
	if err := k.all(); err != nil {
		t.Fatalf("scenario %d, %s: %v", k.count, k.title, err)
	}
	t.Logf("%d scenarios", k.count)
}

func TestX(t *testing.T) {
	for _, d := range []string{"orphan not removed", "abort after the decision", "younger ones aborted", "a transaction is reused", "prepared before it is durable", "answers without a commit", "commit not idempotent"} {
		t.Logf("%s: %s", d, failureOf(func(t TB) { Conform(t, conformMemory(d)) }))
	}
}
