package operators

import (
	"bytes"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
)

type (
	zone  int32
	label string
	raw   []byte
	id16  [16]byte
	inner struct {
		At   int64
		Note *string
	}
	Base struct{ Source string }
	// trip has a field of every sort that CBOR carries.
	trip struct {
		Base
		Zone  zone
		Fare  float64 `cbor:"fare"`
		Tags  []string
		Legs  []inner
		Count map[string]int64
		Raw   raw
		ID    id16
		When  time.Time
		Took  time.Duration
		Host  netip.Addr
		Ok    bool
		Maybe *inner
	}
)

// roundTrip holds a codec to: what is decoded equals what was encoded, the rest
// is given back untouched, no prefix decodes, and equal values have equal bytes.
func roundTrip[T any](t *testing.T, gen *rapid.Generator[T]) {
	t.Helper()
	c, err := CodecOf[T]()
	if err != nil {
		t.Fatal(err)
	}
	t.Run(strings.ReplaceAll(reflect.TypeFor[T]().String(), "/", "."), rapid.MakeCheck(func(t *rapid.T) {
		v := gen.Draw(t, "v")
		p, err := c.Append([]byte("head"), v)
		if err != nil || string(p[:4]) != "head" {
			t.Fatal(p, err)
		}
		again, _ := c.Append(nil, v)
		if p = p[4:]; !bytes.Equal(p, again) {
			t.Fatalf("%x and then %x", p, again)
		}
		got, rest, err := c.Decode(append(bytes.Clone(p), "tail"...))
		if err != nil || string(rest) != "tail" || !same(got, v) {
			t.Fatalf("%v came back as %v, rest %q, %v", v, got, rest, err)
		}
		for i := range p {
			if _, _, err := c.Decode(p[:i]); err == nil {
				t.Fatalf("%d of %d bytes decode", i, len(p))
			}
		}
	}))
}

// same is DeepEqual by bits and messages.
func same(a, b any) bool {
	if m, ok := a.(proto.Message); ok {
		return proto.Equal(m, b.(proto.Message))
	}
	if f, ok := a.(float64); ok && math.IsNaN(f) {
		return math.Float64bits(f) == math.Float64bits(b.(float64))
	}
	if at, ok := a.(time.Time); ok {
		return at.Equal(b.(time.Time)) && at.Format(time.RFC3339Nano) == b.(time.Time).Format(time.RFC3339Nano)
	}
	return reflect.DeepEqual(a, b)
}

func mapped[A, B any](g *rapid.Generator[A], f func(A) B) *rapid.Generator[B] { return rapid.Map(g, f) }

func times() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		at := time.Unix(rapid.Int64Range(-1<<33, 1<<37).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns"))
		return at.In(time.FixedZone("", rapid.IntRange(-43200, 50400).Draw(t, "offset")))
	})
}

func trips() *rapid.Generator[trip] {
	return rapid.Custom(func(t *rapid.T) trip {
		inners := rapid.Custom(func(t *rapid.T) inner {
			return inner{At: rapid.Int64().Draw(t, "at"), Note: rapid.Ptr(anyString(), true).Draw(t, "note")}
		})
		v := trip{
			Base: Base{anyString().Draw(t, "source")},
			Zone: zone(rapid.Int32().Draw(t, "zone")),
			Fare: rapid.Float64().Draw(t, "fare"),
			Took: time.Duration(rapid.Int64().Draw(t, "took")),
			Ok:   rapid.Bool().Draw(t, "ok"),
			When: time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "when"), 5).UTC(),
			Raw:  maybeNil(rapid.SliceOf(rapid.Byte())).Draw(t, "raw"),
			Tags: maybeNil(rapid.SliceOf(anyString())).Draw(t, "tags"),
			Legs: maybeNil(rapid.SliceOf(inners)).Draw(t, "legs"),
			ID:   id16{3: rapid.Byte().Draw(t, "id")},
			Host: netip.AddrFrom4([4]byte{10, 0, 0, rapid.Byte().Draw(t, "host")}),
		}
		if rapid.Bool().Draw(t, "has count") {
			v.Count = rapid.MapOf(anyString(), rapid.Int64()).Draw(t, "count")
		}
		v.Maybe = rapid.Ptr(inners, true).Draw(t, "maybe")
		return v
	})
}

// anyString draws strings that need not be UTF-8.
func anyString() *rapid.Generator[string] {
	return mapped(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })
}

func maybeNil[E any](g *rapid.Generator[[]E]) *rapid.Generator[[]E] {
	return rapid.OneOf(g, rapid.Just([]E(nil)))
}

func TestCodecsRoundTrip(t *testing.T) {
	roundTrip(t, rapid.Bool())
	roundTrip(t, rapid.Int())
	roundTrip(t, rapid.Int8())
	roundTrip(t, rapid.Int16())
	roundTrip(t, rapid.Int32())
	roundTrip(t, rapid.Int64())
	roundTrip(t, rapid.Uint())
	roundTrip(t, rapid.Uint8())
	roundTrip(t, rapid.Uint16())
	roundTrip(t, rapid.Uint32())
	roundTrip(t, rapid.Uint64())
	roundTrip(t, rapid.Float32())
	roundTrip(t, mapped(rapid.Uint64(), math.Float64frombits))
	roundTrip(t, anyString())
	roundTrip(t, mapped(rapid.Int32(), func(v int32) zone { return zone(v) }))
	roundTrip(t, mapped(anyString(), func(v string) label { return label(v) }))
	roundTrip(t, maybeNil(rapid.SliceOf(rapid.Byte())))
	roundTrip(t, mapped(maybeNil(rapid.SliceOf(rapid.Byte())), func(b []byte) raw { return raw(b) }))
	roundTrip(t, mapped(rapid.Uint64(), func(v uint64) id16 { return id16{byte(v), 15: byte(v >> 8)} }))
	roundTrip(t, times())
	roundTrip(t, mapped(rapid.Uint32(), func(v uint32) netip.Addr {
		return netip.AddrFrom4([4]byte{byte(v), byte(v >> 8), byte(v >> 16), 1})
	}))
	roundTrip(t, mapped(anyUTF8(), func(s string) *messages.Blob { return &messages.Blob{Key: s, Size: uint64(len(s))} }))
	roundTrip(t, trips())
	roundTrip(t, mapped(trips(), func(v trip) *trip { return &v }))
	roundTrip(t, rapid.MapOf(rapid.Int32(), anyString()))
	roundTrip(t, maybeNil(rapid.SliceOf(rapid.Float32())))
	roundTrip(t, rapid.Just(struct{}{}))
	roundTrip(t, mapped(rapid.Int8(), func(v int8) map[[2]byte]int8 { return map[[2]byte]int8{{1, byte(v)}: v} }))
	roundTrip(t, mapped(rapid.Int8(), func(v int8) map[struct{ A, B int8 }]int8 { return map[struct{ A, B int8 }]int8{{1, v}: v, {v, 1}: 3} }))
}

func anyUTF8() *rapid.Generator[string] { return rapid.String() }

// Collections and depths beyond the CBOR library's own limits come back: what
// was written into a checkpoint must be readable.
func TestCodecsHaveNoSizeLimit(t *testing.T) {
	c, err := CodecOf[[]int64]()
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Append(nil, make([]int64, 200_000))
	if err != nil {
		t.Fatal(err)
	}
	if v, _, err := c.Decode(p); err != nil || len(v) != 200_000 {
		t.Errorf("%d values, %v", len(v), err)
	}
}

// The names are written into every checkpoint: they change when the type does,
// and then the checkpoint is refused, so they must not change otherwise.
func TestCodecNames(t *testing.T) {
	type reordered struct {
		Note *string
		At   int64
	}
	type retyped struct {
		At   int32
		Note *string
	}
	type renamed struct {
		Time int64 `json:"At"`
		Note *string
	}
	names := []struct{ got, want string }{
		{nameOf[int](t), "int"},
		{nameOf[int64](t), "int64"},
		{nameOf[zone](t), "int32"},
		{nameOf[label](t), "string"},
		{nameOf[raw](t), "bytes"},
		{nameOf[id16](t), "[16]byte"},
		{nameOf[time.Time](t), "time"},
		{nameOf[time.Duration](t), "int64"},
		{nameOf[netip.Addr](t), "binary:netip.Addr"},
		{nameOf[*messages.Blob](t), "proto:weir.v1.Blob"},
		{nameOf[[]float32](t), "cbor:[]float32"},
		{nameOf[map[zone][]string](t), "cbor:map[int32][]string"},
		{nameOf[inner](t), "cbor:operators.inner{At int64, Note *string}"},
		{nameOf[reordered](t), "cbor:operators.reordered{At int64, Note *string}"},
		{nameOf[retyped](t), "cbor:operators.retyped{At int32, Note *string}"},
		{nameOf[renamed](t), "cbor:operators.renamed{At int64, Note *string}"},
		{nameOf[*trip](t), "cbor:*operators.trip{Count map[string]int64, Host binary:netip.Addr, ID [16]uint8, " +
			"Legs []operators.inner{At int64, Note *string}, Maybe *operators.inner{At int64, Note *string}, Ok bool, Raw []uint8, " +
			"Source string, Tags []string, Took int64, When time, Zone int32, fare float64}"},
	}
	for _, n := range names {
		if n.got != n.want {
			t.Errorf("got %s, want %s", n.got, n.want)
		}
	}
}

func nameOf[T any](t *testing.T) string {
	t.Helper()
	c, err := CodecOf[T]()
	if err != nil {
		t.Fatal(err)
	}
	return c.Name()
}

// Field order does not matter: bytes written before a reorder are read after it.
func TestReorderedFieldsReadOldBytes(t *testing.T) {
	type before struct {
		A int64
		B string
	}
	type after struct {
		B string
		A int64
	}
	old, _ := CodecOf[before]()
	now, _ := CodecOf[after]()
	p, err := old.Append(nil, before{7, "x"})
	if err != nil {
		t.Fatal(err)
	}
	if v, _, err := now.Decode(p); err != nil || v != (after{"x", 7}) {
		t.Errorf("%v, %v", v, err)
	}
}

type (
	loops     struct{ Next *loops }
	hides     struct{ time.Time }
	hidesMore struct {
		netip.Addr
		Port int
	}
	inherits struct {
		*messages.Blob
		Port int
	}
	clash struct {
		A int `cbor:"x"`
		B int `json:"x"`
	}
)

// What would be lost, or could not be read back, is refused with its path.
func TestCodecRefusals(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{refusal[chan int](), "chan int cannot be encoded: chan int is a chan: leave it out"},
		{refusal[any](), "interface {} cannot be encoded: interface {} is an interface: use a concrete type, or one with MarshalBinary and UnmarshalBinary"},
		{refusal[complex64](), "complex64 cannot be encoded: complex64 is a complex64: leave it out"},
		{refusal[uintptr](), "uintptr cannot be encoded: uintptr is a uintptr: leave it out"},
		{refusal[struct{ F func() }](), "struct { F func() } cannot be encoded: struct { F func() }.F is a func: leave it out"},
		{refusal[struct{ A []map[string]error }](), "struct { A []map[string]error } cannot be encoded: struct { A []map[string]error }.A[i][k] is an interface: use a concrete type, or one with MarshalBinary and UnmarshalBinary"},
		{refusal[struct{ A, b int }](), "struct { A int; b int } cannot be encoded: struct { A int; b int }.b is unexported and would be lost: export it, or give the type MarshalBinary and UnmarshalBinary"},
		{refusal[struct {
			A int `json:"-"`
		}](), `struct { A int "json:\"-\"" } cannot be encoded: struct { A int "json:\"-\"" }.A is tagged "-" and would be lost wherever the record leaves the process: drop the field or the tag`},
		{refusal[struct{ M map[float64]int }](), "struct { M map[float64]int } cannot be encoded: the key of struct { M map[float64]int }.M is a float64, and NaN is not equal to itself; use an integer as key, e.g. the value in fixed units"},
		{refusal[**int](), "**int cannot be encoded: **int is a pointer to a pointer: nil has two meanings there"},
		{refusal[loops](), "operators.loops cannot be encoded: operators.loops contains itself at operators.loops.Next: give it MarshalBinary and UnmarshalBinary"},
		{refusal[hides](), "operators.hides cannot be encoded: operators.hides embeds time.Time, whose encoding hides the other fields; give that field a name"},
		{refusal[hidesMore](), "operators.hidesMore cannot be encoded: operators.hidesMore embeds netip.Addr, whose encoding hides the other fields; give that field a name"},
		{refusal[*inherits](), "*operators.inherits cannot be encoded: *operators.inherits is a protobuf message: use the pointer to it as the whole type, or a Go type"},
		{refusal[messages.Blob](), "messages.Blob cannot be encoded: messages.Blob is a protobuf message: use the pointer to it as the whole type, or a Go type"},
		{refusal[struct{ *Base }](), "struct { *operators.Base } cannot be encoded: struct { *operators.Base }.Base is embedded but no plain struct; give it a name"},
		{refusal[clash](), `operators.clash cannot be encoded: operators.clash has two fields named "x", of which CBOR keeps none; rename one`},
	} {
		wantError(t, c.err, c.want)
	}
}

func refusal[T any]() error {
	_, err := CodecOf[T]()
	return err
}

// A time whose text would not come back, or as another instant, is refused
// before it is in a checkpoint, wherever in a value it is.
func TestTimesThatCBORWouldSpoilAreRefused(t *testing.T) {
	type leg struct{ At *time.Time }
	type ride struct {
		Legs map[string][]leg
		Name string
	}
	c := mustCodec[ride]()
	far := time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	odd := time.Date(1890, 1, 1, 0, 0, 0, 0, time.FixedZone("LMT", 1172))
	for _, at := range []time.Time{far, odd} {
		at := at
		_, err := c.Append(nil, ride{Legs: map[string][]leg{"a": {{}, {At: &at}}}})
		wantError(t, err, "encoding "+c.Name()+": Legs: At: time "+at.String()+
			": within a record, years are 0 to 9999 and offsets from UTC whole minutes; use its UTC, or UnixMilli")
	}
	fine := odd.UTC()
	if _, err := c.Append(nil, ride{Legs: map[string][]leg{"a": {{At: &fine}}}}); err != nil {
		t.Error(err)
	}
}

// A nil message has no place in a stream: it would come back as an empty one.
func TestNilMessageIsRefused(t *testing.T) {
	c, _ := CodecOf[*messages.Blob]()
	_, err := c.Append(nil, nil)
	wantError(t, err, "encoding proto:weir.v1.Blob: the message is nil; emit an empty one, or nothing")
}

// A clone shares nothing that can be changed; where nothing can, there is none.
func TestClonesAreIndependent(t *testing.T) {
	if cloneOf(mustCodec[int64]()) != nil || cloneOf(mustCodec[struct{ A string }]()) != nil {
		t.Error("a clone where assignment copies")
	}
	v := trip{Tags: []string{"a"}, Count: map[string]int64{"n": 1}, Maybe: &inner{At: 1}, When: time.Unix(0, 0).UTC()}
	c := cloneOf(mustCodec[trip]())(v)
	if !reflect.DeepEqual(c, v) {
		t.Errorf("%v is no copy of %v", c, v)
	}
	c.Tags[0], c.Count["n"], c.Maybe.At = "b", 2, 2
	if v.Tags[0] != "a" || v.Count["n"] != 1 || v.Maybe.At != 1 {
		t.Error("a change of the copy shows in the original")
	}
	m := &messages.Blob{Key: "a"}
	if n := cloneOf(mustCodec[*messages.Blob]())(m); n == m || n.Key != "a" {
		t.Errorf("%v of %v", n, m)
	}
}

func mustCodec[T any]() Codec[T] {
	c, err := CodecOf[T]()
	if err != nil {
		panic(err)
	}
	return c
}

// Whatever the bytes, a decoder gives a value or an error, and the value can be
// written again.
func FuzzDecode(f *testing.F) {
	seeds := []any{"text", int64(5), []byte{1}, []string{"a"}}
	for _, s := range seeds {
		f.Add([]byte(fmt.Sprint(s)))
	}
	for _, v := range []trip{{}, {Tags: []string{"x"}, Count: map[string]int64{"a": 1}}} {
		p, _ := mustCodec[trip]().Append(nil, v)
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		redecode[trip](t, p)
		redecode[string](t, p)
		redecode[raw](t, p)
		redecode[bool](t, p)
		redecode[time.Time](t, p)
		redecode[*messages.Blob](t, p)
		redecode[map[string]inner](t, p)
	})
}

func redecode[T any](t *testing.T, p []byte) {
	c := mustCodec[T]()
	v, _, err := c.Decode(p)
	if err != nil {
		return
	}
	again, err := c.Append(nil, v)
	if err != nil {
		t.Fatalf("%s: %v was decoded but does not encode: %v", c.Name(), v, err)
	}
	if _, rest, err := c.Decode(again); err != nil || len(rest) > 0 {
		t.Fatalf("%s: %v does not come back: %d bytes left, %v", c.Name(), v, len(rest), err)
	}
}
