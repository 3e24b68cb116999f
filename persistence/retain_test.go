package persistence_test

import (
	"errors"
	"testing"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/memory"
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
		if _, err := l.Claim(ctx, persistence.Owner{Name: "host/2", Nonce: 2}, "restart", 0); err != nil {
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
