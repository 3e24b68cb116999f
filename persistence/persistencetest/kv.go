package persistencetest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/weirflow/weir/persistence"
)

// KV holds the KVs of a backend to their contract, a plain map beside them.
func KV(t *testing.T, open func(t testing.TB) persistence.Disk) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, persistence.Disk)
	}{
		{"any calls show what a map shows", kvModel},
		{"an absent value is not an empty one", kvAbsent},
		{"a scan shows what there was when it began", kvScan},
		{"a scan ends where its prefix ends", kvPrefixes},
		{"S93: what is frozen is read elsewhere while the map goes on", kvFrozen},
		{"two maps know nothing of each other", kvApart},
		{"what is closed says so", kvClosed},
		{"a scan ends when what it reads is closed", kvClosedInScan},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

func openKV(t *testing.T, disk persistence.Disk, name string) persistence.KV {
	t.Helper()
	kv, err := disk.OpenKV(context.Background(), name)
	if err != nil {
		t.Fatalf("OpenKV: %v", err)
	}
	return kv
}

type scanner interface {
	Scan(prefix []byte, yield func(key, value []byte) bool) error
}

// listing is what a scan shows, as text.
func listing(s scanner, prefix string) string {
	var b strings.Builder
	err := s.Scan([]byte(prefix), func(key, value []byte) bool {
		fmt.Fprintf(&b, "%q=%q ", key, value)
		return true
	})
	if err != nil {
		return "error: " + err.Error()
	}
	return b.String()
}

func kvModel(t *testing.T, disk persistence.Disk) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 0))
		kv, twin := openKV(t, disk, "model"), map[string]string{}
		for range 60 {
			k, v := randomOf(rng, "\x00ab\xff", 1+rng.IntN(3)), randomOf(rng, "xyz", rng.IntN(5))
			step := rng.IntN(len(kvSteps))
			if got, want := kvSteps[step](kv, k, v), twinSteps[step](twin, string(k), string(v)); got != want {
				t.Fatalf("seed %d: got  %s\nwant %s", seed, got, want)
			}
		}
		if got, want := listing(kv, ""), listed(twin, ""); got != want {
			t.Fatalf("seed %d: in the end %s\nwant       %s", seed, got, want)
		}
		if err := kv.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func randomOf(rng *rand.Rand, letters string, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[rng.IntN(len(letters))]
	}
	return b
}

var kvSteps = []func(kv persistence.KV, k, v []byte) string{
	func(kv persistence.KV, k, v []byte) string { return fmt.Sprint("put ", kv.Put(k, v)) },
	func(kv persistence.KV, k, v []byte) string { return fmt.Sprint("append ", kv.Append(k, v)) },
	func(kv persistence.KV, k, v []byte) string { return fmt.Sprint("delete ", kv.Delete(k)) },
	func(kv persistence.KV, k, v []byte) string { return fmt.Sprint("wipe ", kv.DeletePrefix(k)) },
	func(kv persistence.KV, k, v []byte) string { return listing(kv, string(k)) },
	func(kv persistence.KV, k, v []byte) string {
		got, ok, err := kv.Get(v, k)
		return fmt.Sprintf("get %q %v %v", got, ok, err)
	},
}

// twinSteps are what kvSteps must show, by a map.
var twinSteps = []func(m map[string]string, k, v string) string{
	func(m map[string]string, k, v string) string { m[k] = v; return "put <nil>" },
	func(m map[string]string, k, v string) string { m[k] += v; return "append <nil>" },
	func(m map[string]string, k, v string) string { delete(m, k); return "delete <nil>" },
	func(m map[string]string, k, v string) string {
		maps.DeleteFunc(m, func(key, _ string) bool { return strings.HasPrefix(key, k) })
		return "wipe <nil>"
	},
	func(m map[string]string, k, v string) string { return listed(m, k) },
	func(m map[string]string, k, v string) string {
		_, ok := m[k]
		return fmt.Sprintf("get %q %v <nil>", v+m[k], ok)
	},
}

// listed is the listing of a map.
func listed(m map[string]string, prefix string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if strings.HasPrefix(k, prefix) {
			fmt.Fprintf(&b, "%q=%q ", k, m[k])
		}
	}
	return b.String()
}

func kvAbsent(t *testing.T, disk persistence.Disk) {
	kv := openKV(t, disk, "absent")
	defer kv.Close()
	steps := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	steps(kv.Put([]byte("empty"), nil))
	steps(kv.Append([]byte("tail"), nil))
	for key, want := range map[string]bool{"empty": true, "tail": true, "none": false} {
		got, ok, err := kv.Get([]byte("before "), []byte(key))
		if string(got) != "before " || ok != want || err != nil {
			t.Errorf("Get %s: %q, %v, %v", key, got, ok, err)
		}
	}
	big := bytes.Repeat([]byte("x"), 1<<20)
	steps(kv.Append([]byte("tail"), big))
	steps(kv.Append([]byte("tail"), []byte("end")))
	if got, _, err := kv.Get(nil, []byte("tail")); len(got) != len(big)+3 || err != nil {
		t.Errorf("%d bytes of a long value, %v", len(got), err)
	}
}

func kvScan(t *testing.T, disk persistence.Disk) {
	kv := openKV(t, disk, "scan")
	defer kv.Close()
	for i := range 5 {
		if err := kv.Put(fmt.Appendf(nil, "k%d", i), fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	var seen []string
	err := kv.Scan([]byte("k"), func(key, value []byte) bool {
		seen = append(seen, string(key)+"="+string(value))
		if err := kv.DeletePrefix([]byte("k")); err != nil {
			t.Fatal(err)
		}
		if err := kv.Put([]byte("k9"), []byte("new")); err != nil {
			t.Fatal(err)
		}
		seen = append(seen, "("+listing(kv, "k")+")") // a scan in a scan
		return len(seen) < 6
	})
	if got, want := fmt.Sprint(seen), `[k0=0 ("k9"="new" ) k1=1 ("k9"="new" ) k2=2 ("k9"="new" )]`; got != want || err != nil {
		t.Errorf("%s, %v\nwant %s", got, err, want)
	}
}

func kvPrefixes(t *testing.T, disk persistence.Disk) {
	kv := openKV(t, disk, "prefixes")
	defer kv.Close()
	for _, k := range []string{"a", "a\x00", "a\xff", "a\xff\xff", "b", "\xff", "\xff\xff"} {
		if err := kv.Put([]byte(k), nil); err != nil {
			t.Fatal(err)
		}
	}
	for prefix, want := range map[string]string{
		"a":     `"a"="" "a\x00"="" "a\xff"="" "a\xff\xff"="" `,
		"a\xff": `"a\xff"="" "a\xff\xff"="" `,
		"\xff":  `"\xff"="" "\xff\xff"="" `,
		"c":     "",
	} {
		if got := listing(kv, prefix); got != want {
			t.Errorf("below %q: %s\nwant %s", prefix, got, want)
		}
	}
	for _, prefix := range []string{"a\xff", "\xff"} {
		if err := kv.DeletePrefix([]byte(prefix)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := listing(kv, ""), `"a"="" "a\x00"="" "b"="" `; got != want {
		t.Errorf("left: %s\nwant %s", got, want)
	}
}

func kvFrozen(t *testing.T, disk persistence.Disk) {
	kv := openKV(t, disk, "frozen")
	var want strings.Builder
	for i := range 2000 {
		key := fmt.Sprintf("k%04d", i)
		if err := kv.Put([]byte(key), []byte("old")); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&want, "%q=%q ", key, "old")
	}
	frozen, err := kv.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	var reader sync.WaitGroup
	reader.Go(func() {
		for range 3 {
			if got := listing(frozen, ""); got != want.String() {
				t.Errorf("what was frozen changed: %.200s", got)
			}
		}
	})
	for i := range 2000 {
		key := fmt.Appendf(nil, "k%04d", i)
		if err := kv.Append(key, []byte(" new")); err != nil {
			t.Error(err)
		}
	}
	reader.Wait()
	if err := kv.Close(); err != nil {
		t.Error(err)
	}
	if got := listing(frozen, ""); got != want.String() {
		t.Errorf("behind Close: %.200s", got)
	}
	frozen.Release()
	frozen.Release()
	if got := listing(frozen, ""); !strings.Contains(got, "error: ") || !strings.Contains(got, "frozen") {
		t.Errorf("behind Release: %.200s", got)
	}
}

func kvApart(t *testing.T, disk persistence.Disk) {
	a, b := openKV(t, disk, "same"), openKV(t, disk, "same")
	defer a.Close()
	defer b.Close()
	if err := a.Put([]byte("k"), []byte("v")); err != nil {
		t.Fatal(err)
	}
	if got := listing(b, ""); got != "" {
		t.Errorf("the other one has %s", got)
	}
}

func kvClosed(t *testing.T, disk persistence.Disk) {
	kv := openKV(t, disk, "the tips of drivers")
	for range 2 {
		if err := kv.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	for i, do := range kvSteps {
		if got := do(kv, []byte("k"), nil); !strings.Contains(got, "the tips of drivers") || !strings.Contains(got, "Close") {
			t.Errorf("step %d behind Close: %s", i, got)
		}
	}
	if _, err := kv.Freeze(); err == nil {
		t.Error("Freeze behind Close gave no error")
	}
}

func kvClosedInScan(t *testing.T, disk persistence.Disk) {
	kv := openKV(t, disk, "the tips of drivers")
	for i := range 1000 {
		if err := kv.Put(fmt.Appendf(nil, "k%04d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	frozen, err := kv.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	closing := func(s scanner, end func()) (calls int, err error) {
		err = s.Scan(nil, func(_, _ []byte) bool {
			if calls++; calls == 3 {
				end()
			}
			return true
		})
		return calls, err
	}
	if n, err := closing(kv, func() { _ = kv.Close() }); n != 3 || err == nil || !strings.Contains(err.Error(), "Close") {
		t.Errorf("%d calls, %v", n, err)
	}
	if n, err := closing(frozen, frozen.Release); n != 3 || err == nil || !strings.Contains(err.Error(), "Release") {
		t.Errorf("%d calls of what was frozen, %v", n, err)
	}
}
