package operators

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// hashOf is the hash that KeyBy gives to one key.
func hashOf[K comparable](k K) uint64 {
	s := KeyBy(From(NewTopology("t"), "in", Slice[K](), NoWatermarks[K]()), func(k K) K { return k })
	if s.err != nil {
		panic(s.err)
	}
	b := rowsOf[K]().New(1)
	*valuesOf[K](b), b.Times = append(*valuesOf[K](b), k), append(b.Times, 0)
	s.keyer.Hash(b)
	return b.Hashes[0]
}

type place struct {
	Zone zone
	City string
	IDs  [2]int16
}

// S89: the hash decides the key group in every snapshot. These values are the
// format; a change here makes every old snapshot unreadable.
func TestS89_HashesAreStable(t *testing.T) {
	addr := netip.MustParseAddr("10.0.0.1")
	for _, c := range []struct {
		name      string
		got, want uint64
	}{
		{"int64", hashOf(int64(1)), 0x5692161d100b05e5},
		{"string", hashOf("zone"), 0xb10d6f6ccf660d36},
		{"struct", hashOf(place{-1, "x", [2]int16{1, 2}}), 0xc9253288da21010f},
		{"array", hashOf(id16{1}), 0x6c1cff0459c8bb10},
		{"addr", hashOf(addr), 0x49563b5083b99aff},
		{"true", hashOf(true), 0x5692161d100b05e5},
	} {
		if c.got != c.want {
			t.Errorf("%s: %#x, was %#x when it was written down", c.name, c.got, c.want)
		}
	}
}

// The hash as its documentation says it, spelt out.
func TestHashesAreAsDocumented(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, s := rapid.Int16().Draw(t, "n"), anyString().Draw(t, "s")
		le := func(x int64) string { return string(binary.LittleEndian.AppendUint64(nil, uint64(x))) }
		for what, pair := range map[string][2]uint64{
			"widths are alike":  {hashOf(n), hashOf(int64(n))},
			"int":               {hashOf(int(n)), mix64(uint64(n))},
			"uint8":             {hashOf(uint8(n)), mix64(uint64(uint8(n)))},
			"uint16":            {hashOf(uint16(n)), mix64(uint64(uint16(n)))},
			"uint32":            {hashOf(uint32(n)), mix64(uint64(uint32(n)))},
			"uint64":            {hashOf(uint64(n)), mix64(uint64(n))},
			"int8":              {hashOf(int8(n)), mix64(uint64(int8(n)))},
			"named":             {hashOf(zone(n)), mix64(uint64(n))},
			"string":            {hashOf(s), xxhash.Sum64String(s)},
			"named string":      {hashOf(label(s)), xxhash.Sum64String(s)},
			"bytes":             {hashOf([2]byte{1, byte(n)}), xxhash.Sum64([]byte{1, byte(n)})},
			"fields by name":    {hashOf(place{zone(n), s, [2]int16{n, 3}}), xxhash.Sum64String(le(int64(len(s))) + s + le(int64(n)) + le(3) + le(int64(n)))},
			"bytes in a struct": {hashOf(struct{ A [2]byte }{[2]byte{1, 2}}), xxhash.Sum64String(le(2) + "\x01\x02")},
			"bool in a struct":  {hashOf(struct{ B, A bool }{B: true}), xxhash.Sum64String(le(0) + le(1))},
		} {
			if pair[0] != pair[1] {
				t.Fatalf("%s: %#x and %#x", what, pair[0], pair[1])
			}
		}
	})
}

// Within a struct every kind is 8 bytes, sign-extended.
func TestHashesOfAllKindsInAStruct(t *testing.T) {
	type all struct {
		A int
		B int8
		C int16
		D int32
		E int64
		F uint
		G uint8
		H uint16
		I uint32
		J uint64
		K bool
		L netip.Addr
		M label
	}
	addr := netip.MustParseAddr("10.0.0.1")
	var want []byte
	for _, v := range []int64{-1, -2, -3, -4, -5, 6, 7, 8, 9, 10, 1, 4} {
		want = binary.LittleEndian.AppendUint64(want, uint64(v))
	}
	want = append(want, 10, 0, 0, 1)
	want = append(binary.LittleEndian.AppendUint64(want, 2), "xy"...)
	if got := hashOf(all{-1, -2, -3, -4, -5, 6, 7, 8, 9, 10, true, addr, "xy"}); got != xxhash.Sum64(want) {
		t.Errorf("%#x", got)
	}
}

// Reordering the fields of a key moves no state.
func TestHashesIgnoreFieldOrder(t *testing.T) {
	a := hashOf(struct {
		A int
		B string
	}{1, "x"})
	b := hashOf(struct {
		B string
		A int
	}{"x", 1})
	if a != b {
		t.Errorf("%#x and %#x", a, b)
	}
}

// S89: small keys spread over key groups: the upper half of the hash counts.
func TestS89_SmallKeysSpread(t *testing.T) {
	groups := map[messages.KeyGroup]int{}
	for i := range int64(12800) {
		groups[messages.KeyGroupOf(hashOf(i), 128)]++
	}
	for g, n := range groups {
		if n < 50 || n > 150 {
			t.Errorf("group %d has %d of 12800 keys", g, n)
		}
	}
	if len(groups) != 128 {
		t.Errorf("%d of 128 groups used", len(groups))
	}
}

// Keys whose equality is not that of their bytes are refused with the remedy.
func TestKeyRefusals(t *testing.T) {
	const kinds = ", which is no key: use an integer, string, bool, byte array, or a struct of these"
	in := From(NewTopology("t"), "in", Slice[int](), NoWatermarks[int]())
	for _, c := range []struct {
		err  error
		want string
	}{
		{KeyBy(in, func(int) float64 { return 0 }).err, "float64 is a float64, and NaN is not equal to itself; use an integer as key, e.g. the value in fixed units"},
		{KeyBy(in, func(int) struct{ At time.Time } { panic("") }).err, "struct { At time.Time }.At is a time.Time, where == tells equal instants apart; use its UnixMilli as key"},
		{KeyBy(in, func(int) *int { return nil }).err, "*int is of kind ptr" + kinds},
		{KeyBy(in, func(int) [2]any { panic("") }).err, "[2]interface {}[i] is of kind interface" + kinds},
		{KeyBy(in, func(int) struct{ a int } { panic("") }).err, "struct { a int } cannot be encoded: struct { a int }.a is unexported and would be lost: export it, or give the type MarshalBinary and UnmarshalBinary"},
		{KeyBy[int, int](in, nil).err, "the key function is nil; give KeyBy one"},
	} {
		wantError(t, c.err, c.want)
	}
}

// The error of a key is told by Build, for the operator that would need it.
func TestKeyErrorsAreToldAtBuild(t *testing.T) {
	top := NewTopology("t")
	in := From(top, "in", Slice(1), NoWatermarks[int]())
	Reduce(KeyBy(in, func(int) float64 { return 0 }), "sum", func(a, b int) int { return a + b }).To("out", discardSink[int]{})
	_, err := top.Build()
	wantLines(t, err, `operator "sum": its key: float64 is a float64, and NaN is not equal to itself; use an integer as key, e.g. the value in fixed units`)
}

// wantLines holds a Build error to exactly these lines behind its head.
func wantLines(t *testing.T, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %q", want)
	}
	head, rest, _ := strings.Cut(err.Error(), "\n")
	if head != `topology "t" cannot run:` {
		t.Errorf("head %q", head)
	}
	if got := strings.Join(want, "\n"); rest != got {
		t.Errorf("got\n%s\nwant\n%s", rest, got)
	}
}

func TestKeyersDoNotAllocate(t *testing.T) {
	in := From(NewTopology("t"), "in", Slice[place](), NoWatermarks[place]())
	b := rowsOf[place]().New(512)
	for i := range 512 {
		*valuesOf[place](b), b.Times = append(*valuesOf[place](b), place{zone(i), "x", [2]int16{}}), append(b.Times, 0)
	}
	for name, c := range map[string]struct {
		keyer plan.Keyer
		most  float64 // allocations a batch
	}{
		"int":    {KeyBy(in, func(p place) zone { return p.Zone }).keyer, 0},
		"string": {KeyBy(in, func(p place) string { return p.City }).keyer, 0},
		"struct": {KeyBy(in, func(p place) place { return p }).keyer, 2}, // its scratch space
	} {
		c.keyer.Hash(b)
		if n := testing.AllocsPerRun(50, func() { c.keyer.Hash(b) }); n > c.most {
			t.Errorf("%s: %v allocations a batch", name, n)
		}
	}
}
