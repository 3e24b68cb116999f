package operators

import (
	"testing"

	"github.com/weirflow/weir/operators/plan"
)

// benchRow is as large as the records of the benchmarks in BENCHMARKS.md.
type benchRow struct {
	A, B, C, D int64
	Name       string
}

// perRecord runs f on batches of 512 rows and reports the time a record.
func perRecord(b *testing.B, f func(batch *plan.Batch)) {
	rows := rowsOf[benchRow]()
	source, batch := rows.New(512), rows.New(512)
	for i := range int64(512) {
		*valuesOf[benchRow](source) = append(*valuesOf[benchRow](source), benchRow{A: i, B: i % 100, Name: "x"})
		source.Times = append(source.Times, i)
	}
	b.ReportAllocs()
	for b.Loop() {
		rows.Reset(batch)
		rows.Append(batch, source, 0, 512)
		f(batch)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/512, "ns/record")
}

func process(b *testing.B, i plan.Instance) func(*plan.Batch) {
	start(b, i, nil)
	return func(batch *plan.Batch) {
		if err := i.Process(0, batch); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOperators(b *testing.B) {
	in := From(NewTopology("t"), "in", Slice[benchRow](), NoWatermarks[benchRow]())
	b.Run("copy", func(b *testing.B) { perRecord(b, func(*plan.Batch) {}) }) // what the others have on top
	b.Run("map", func(b *testing.B) {
		perRecord(b, process(b, instanceOf(Map(in, "m", func(r benchRow) benchRow { r.A *= 908; return r }))))
	})
	b.Run("filter", func(b *testing.B) {
		perRecord(b, process(b, instanceOf(in.Filter("f", func(r benchRow) bool { return r.A%123 == 0 }))))
	})
	b.Run("flatmap", func(b *testing.B) {
		perRecord(b, process(b, instanceOf(FlatMap(in, "fm", func(r benchRow, out *Out[benchRow]) error { out.Emit(r); return nil }))))
	})
	clock := Monotonous(func(r benchRow) int64 { return r.A }).newClock()
	b.Run("clock", func(b *testing.B) { perRecord(b, func(batch *plan.Batch) { _ = clock.Observe(batch) }) })
	hash := func(k plan.Keyer) func(*testing.B) {
		return func(b *testing.B) { perRecord(b, k.Hash) }
	}
	b.Run("key int", hash(KeyBy(in, func(r benchRow) int64 { return r.A }).keyer))
	b.Run("key string", hash(KeyBy(in, func(r benchRow) string { return r.Name }).keyer))
	b.Run("key struct", hash(KeyBy(in, func(r benchRow) struct{ A, B int64 } { return struct{ A, B int64 }{r.A, r.B} }).keyer))
}

func BenchmarkRows(b *testing.B) {
	rows := rowsOf[benchRow]()
	dst := []*plan.Batch{rows.New(512), rows.New(512)}
	target := make([]int32, 512)
	for i := range target {
		target[i] = int32(i % 2)
	}
	b.Run("scatter", func(b *testing.B) {
		perRecord(b, func(batch *plan.Batch) {
			rows.Reset(dst[0])
			rows.Reset(dst[1])
			rows.Scatter(dst, batch, 0, 512, target)
		})
	})
	var buf []byte
	b.Run("encode cbor", func(b *testing.B) {
		perRecord(b, func(batch *plan.Batch) { buf, _ = rows.Encode(buf[:0], batch) })
	})
	b.Run("decode cbor", func(b *testing.B) {
		perRecord(b, func(batch *plan.Batch) {
			rows.Reset(dst[0])
			_ = rows.Decode(dst[0], buf)
		})
	})
}
