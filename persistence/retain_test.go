package persistence_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/memory"
	"github.com/weirflow/weir/persistence/persistencetest"
)

// A log keeps a thousand claims: enough fence for whoever is late by fewer
// attempts, and an end to its growth.
func TestClaimsAreBounded(t *testing.T) {
	store := memory.Store(0)
	late := openLog(t, store)
	owner := persistence.Owner{Name: "host/1", Nonce: 1}
	if _, err := late.Claim(ctx, owner, "start", 0); err != nil {
		t.Fatal(err)
	}
	l := openLog(t, store)
	for i := range uint64(1004) {
		if _, err := l.Claim(ctx, persistence.Owner{Name: "host/2", Nonce: 2 + i}, "restart", 0); err != nil {
			t.Fatal(err)
		}
		if i == 998 { // the thousandth claim: the first one still stands
			publishAndRetain(t, l, 1)
			if keys := logKeys(t, store); len(keys) != 1001 || keys[0] != slotKey(1) {
				t.Fatalf("%d slots from %s on; want 1000 claims and a manifest", len(keys), keys[0])
			}
		}
	}
	publishAndRetain(t, l, 2)
	if keys := logKeys(t, store); len(keys) != 1001 || keys[0] != slotKey(6) {
		t.Errorf("%d slots from %s on; want 1000 claims and a manifest, the oldest gone", len(keys), keys[0])
	}
	err := openLog(t, store).Publish(ctx, &messages.Manifest{Checkpoint: 3})
	if err == nil {
		t.Error("a log without a claim publishes")
	}
}

func publishAndRetain(t *testing.T, l *persistence.Log, cp uint64) {
	t.Helper()
	if err := errors.Join(l.Publish(ctx, &messages.Manifest{Checkpoint: cp}), l.Retain(ctx, 1)); err != nil {
		t.Fatal(err)
	}
}

func openLog(t testing.TB, store persistence.CheckpointStore) *persistence.Log {
	t.Helper()
	l, err := persistence.OpenLog(ctx, store, job)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func logKeys(t testing.TB, store persistence.CheckpointStore) []string {
	t.Helper()
	keys, err := store.List(ctx, string(job)+"/log")
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// A claim that is on its way while the owner publishes and retains finds its
// slot taken and freed again. Between older slots it would fence nobody, so it is
// made again at the end.
func TestClaimIsOvertaken(t *testing.T) {
	store := persistencetest.Faulty(memory.Store(0), nil)
	owner, late := openLog(t, store), openLog(t, store)
	if _, err := owner.Claim(ctx, persistence.Owner{Name: "host/1", Nonce: 1}, "start", 0); err != nil {
		t.Fatal(err)
	}
	store.SetSlow(func(op persistencetest.Op, _ string) {
		if op == persistencetest.PutIfAbsent {
			store.SetSlow(nil)
			publishAndRetain(t, owner, 1)
			publishAndRetain(t, owner, 2)
		}
	})
	a, err := late.Claim(ctx, persistence.Owner{Name: "host/2", Nonce: 2}, "start", 0)
	if ms, _ := late.Manifests(); err != nil || a != 2 || len(ms) != 1 || ms[0].Checkpoint != 2 {
		t.Errorf("Claim = %d, %v, with the manifests %v; want attempt 2, to go on from checkpoint 2", a, err, ms)
	}
	err = owner.Publish(ctx, &messages.Manifest{Checkpoint: 3})
	if fenced := (*persistence.FencedError)(nil); !errors.As(err, &fenced) || fenced.By != "host/2" {
		t.Errorf("the owner before = %v; want to be fenced by host/2", err)
	}
}

// What cannot be encoded is not published, and leaves no doubt about it.
func TestPublishOfBadText(t *testing.T) {
	l := openLog(t, memory.Store(0))
	if _, err := l.Claim(ctx, persistence.Owner{Name: "host/1", Nonce: 1}, "start", 0); err != nil {
		t.Fatal(err)
	}
	err := l.Publish(ctx, &messages.Manifest{Checkpoint: 1, Fingerprint: "\xff"})
	if uncertain := (*persistence.UncertainError)(nil); err == nil || errors.As(err, &uncertain) {
		t.Errorf("Publish = %v; want an error without doubt", err)
	}
	publishAndRetain(t, l, 1)
}

// Two processes on one job and store: the first is fenced and told by whom.
func ExampleLog() {
	store := memory.Store(0)
	first, _ := persistence.OpenLog(ctx, store, "taxi")
	attempt, _ := first.Claim(ctx, persistence.Owner{Name: "alpha/4711", Nonce: 1}, "start", 1_700_000_000_000)
	fmt.Println("attempt", attempt, first.Publish(ctx, &messages.Manifest{Checkpoint: 1}))

	second, _ := persistence.OpenLog(ctx, store, "taxi")
	attempt, _ = second.Claim(ctx, persistence.Owner{Name: "beta/12", Nonce: 2}, "start", 1_700_000_060_000)
	restored, _ := second.Manifests()
	fmt.Println("attempt", attempt, "goes on from checkpoint", restored[0].Checkpoint)

	err := first.Publish(ctx, &messages.Manifest{Checkpoint: 2})
	var fenced *persistence.FencedError
	fmt.Println(errors.As(err, &fenced), fenced.By, fenced.Attempt)
	// Output:
	// attempt 1 <nil>
	// attempt 2 goes on from checkpoint 1
	// true beta/12 2
}
