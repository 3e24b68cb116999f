package persistence_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/memory"
	"github.com/weirflow/weir/persistence/persistencetest"
)

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

// misread is a store that gives other bytes than it holds, once.
type misread struct {
	persistence.CheckpointStore
	next bool
}

func (m *misread) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if m.next {
		m.next = false
		return io.NopCloser(bytes.NewReader([]byte("noise on the line"))), nil
	}
	return m.CheckpointStore.Open(ctx, key)
}

// A slot that reads badly once, after a write with an unknown outcome, may be
// ours and decided: that is uncertain, not lost.
func TestOneMisreadIsNotDamage(t *testing.T) {
	store := &misread{CheckpointStore: persistencetest.Faulty(memory.Store(0), persistencetest.Script(persistencetest.PutIfAbsent, persistencetest.None, persistencetest.After))}
	l := openLog(t, store)
	if _, err := l.Claim(ctx, persistence.Owner{Name: "host/1", Nonce: 1}, "start", 0); err != nil {
		t.Fatal(err)
	}
	store.next = true
	m := &messages.Manifest{Checkpoint: 1}
	err := l.Publish(ctx, m)
	if uncertain := (*persistence.UncertainError)(nil); !errors.As(err, &uncertain) || uncertain.Checkpoint != 1 || uncertain.Slot != 2 {
		t.Errorf("Publish = %v; want it uncertain whether checkpoint 1 is in slot 2", err)
	}
	if err := l.Publish(ctx, m); err != nil {
		t.Errorf("the second try = %v", err)
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
