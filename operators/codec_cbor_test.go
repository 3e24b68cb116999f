package operators

import (
	"bytes"
	"math"
	"reflect"
	"testing"
	"time"
	"unsafe"

	"github.com/fxamacker/cbor/v2"
	"pgregory.net/rapid"
)

type flatName string

// flat has a field of each kind that a flatStruct writes, in no order.
type flat struct {
	Zone   flatName
	B      bool
	Count  int
	I8     int8
	Name   string
	I16    int16
	I32    int32
	I64    int64
	U      uint
	U8     uint8
	U16    uint16
	U32    uint32
	U64    uint64
	Lasted time.Duration
}

// What is written without the library is what the library writes.
func TestFlatStructIsCBOR(t *testing.T) {
	s := flatOf(reflect.TypeFor[flat]())
	if s == nil {
		t.Fatal("flat is not flat")
	}
	ints := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-300, 300), rapid.SampledFrom([]int64{math.MinInt64, -1 << 32, -65537, -257, -25, 23, 24, 255, 256, 65535, 65536, math.MaxUint32, 1 << 32}))
	rapid.Check(t, func(t *rapid.T) {
		n := func(of string) int64 { return ints.Draw(t, of) }
		v := flat{
			flatName(rapid.String().Draw(t, "zone")), rapid.Bool().Draw(t, "b"), int(n("count")), int8(n("i8")), string(rapid.SliceOf(rapid.Byte()).Draw(t, "name")),
			int16(n("i16")), int32(n("i32")), n("i64"), uint(n("u")), uint8(n("u8")), uint16(n("u16")), uint32(n("u32")), uint64(n("u64")), time.Duration(n("lasted")),
		}
		want, err := cborEnc.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.append([]byte{7}, unsafe.Pointer(&v)); !bytes.Equal(got[1:], want) {
			t.Fatalf("%+v\ngot  %x\nwant %x", v, got[1:], want)
		}
	})
}

type coded struct{ N int }

func (coded) MarshalBinary() ([]byte, error) { return []byte{1}, nil }

// What the library may write in another way is left to it.
func TestNotFlat(t *testing.T) {
	for _, v := range []any{
		0, time.Time{}, coded{}, struct{ At coded }{}, struct{ n int }{}, struct{ F float64 }{}, struct{ P *int }{}, struct{ S []int }{},
		struct {
			N int `cbor:"n"`
		}{}, struct {
			N int `json:"n,omitempty"`
		}{}, struct{ flatName }{}, struct{ Text cbor.ByteString }{},
	} {
		if flatOf(reflect.TypeOf(v)) != nil {
			t.Errorf("%T is taken for flat", v)
		}
	}
}

// One entry of a snapshot allocates nothing.
func TestCBORAppendAllocates(t *testing.T) {
	type event struct{ Key, Value int64 }
	c, err := CodecOf[event]()
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(1000, func() { buf, _ = c.Append(buf[:0], event{1, 2}) }); n > 0.1 {
		t.Errorf("%v allocations an entry", n)
	}
}

func BenchmarkCBORAppend(b *testing.B) {
	type event struct{ Key, Value int64 }
	c, _ := CodecOf[event]()
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for i := range b.N {
		buf, _ = c.Append(buf[:0], event{int64(i), 2})
	}
}
