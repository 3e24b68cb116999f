package operators

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// batches draws batches of strings with any times, hashed or not, with marks.
func batches() *rapid.Generator[*plan.Batch] {
	return rapid.Custom(func(t *rapid.T) *plan.Batch {
		b := rowsOf[string]().New(0)
		*valuesOf[string](b) = rapid.SliceOfN(rapid.String(), 0, 40).Draw(t, "values")
		n := len(*valuesOf[string](b))
		b.Times = rapid.SliceOfN(rapid.Int64(), n, n).Draw(t, "times")
		if rapid.Bool().Draw(t, "hashed") {
			b.Hashes = rapid.SliceOfN(rapid.Uint64(), n, n).Draw(t, "hashes")
		}
		w := messages.NoWatermark
		for i := 0; i <= n && w < 1<<60; i++ {
			for rapid.IntRange(0, 3).Draw(t, "mark") == 0 {
				w += 1 + rapid.Int64Range(0, 1<<60).Draw(t, "step")
				b.Marks = append(b.Marks, plan.Mark{Index: i, Watermark: w})
			}
		}
		return b
	})
}

func sameBatch(a, b *plan.Batch) bool {
	return slices.Equal(*valuesOf[string](a), *valuesOf[string](b)) && slices.Equal(a.Times, b.Times) &&
		slices.Equal(a.Hashes, b.Hashes) && slices.Equal(a.Marks, b.Marks)
}

func TestBatchesRoundTrip(t *testing.T) {
	rows := rowsOf[string]()
	into := rows.New(8)
	rapid.Check(t, func(t *rapid.T) {
		b := batches().Draw(t, "batch")
		p, err := rows.Encode([]byte("head"), b)
		if err != nil || !bytes.HasPrefix(p, []byte("head")) {
			t.Fatal(err)
		}
		p = p[4:]
		rows.Reset(into)
		if err := rows.Decode(into, p); err != nil || !sameBatch(into, b) {
			t.Fatalf("%v came back as %v, %v", b, into, err)
		}
		for i := range p {
			if rows.Reset(into); rows.Decode(into, p[:i]) == nil {
				t.Fatalf("%d of %d bytes decode", i, len(p))
			}
		}
		if rows.Reset(into); rows.Decode(into, append(p, 0)) == nil {
			t.Fatal("a byte too many decodes")
		}
	})
}

// Scatter and Append move what a loop over the records would move.
func TestScatterAndAppendEqualTheirTwins(t *testing.T) {
	rows := rowsOf[string]()
	rapid.Check(t, func(t *rapid.T) {
		src := batches().Draw(t, "batch")
		from := rapid.IntRange(0, src.Len()).Draw(t, "from")
		to := rapid.IntRange(from, src.Len()).Draw(t, "to")
		n := rapid.IntRange(1, 70).Draw(t, "targets")
		target := rapid.SliceOfN(rapid.Int32Range(0, int32(n-1)), to-from, to-from).Draw(t, "target")
		got, want := make([]*plan.Batch, n), make([]*plan.Batch, n)
		for i := range n {
			got[i], want[i] = rows.New(2), rows.New(0)
		}
		rows.Scatter(got, src, from, to, target)
		for i := from; i < to; i++ {
			rows.Append(want[target[i-from]], src, i, i+1)
		}
		for i := range n {
			if !sameBatch(got[i], want[i]) {
				t.Fatalf("target %d: got %v, want %v", i, got[i], want[i])
			}
		}
	})
}

// Moving records costs no memory once the batches are large enough, and a
// batch that was reset refers to none of its records.
func TestRowsDoNotAllocate(t *testing.T) {
	rows := rowsOf[string]()
	src, target := rows.New(512), make([]int32, 512)
	for i := range 512 {
		*valuesOf[string](src) = append(*valuesOf[string](src), "x")
		src.Times, src.Hashes = append(src.Times, 1), append(src.Hashes, 2)
		target[i] = int32(i % 4)
	}
	dst := []*plan.Batch{rows.New(512), rows.New(512), rows.New(512), rows.New(512)}
	var buf []byte
	round := func() {
		rows.Scatter(dst, src, 0, 512, target)
		rows.Append(dst[0], src, 0, 200)
		var err error
		if buf, err = rows.Encode(buf[:0], dst[1]); err != nil {
			t.Fatal(err)
		}
		for _, d := range dst {
			rows.Reset(d)
		}
	}
	round()
	if n := testing.AllocsPerRun(50, round); n > 0 {
		t.Errorf("%v allocations a round", n)
	}
	if slices.ContainsFunc((*valuesOf[string](dst[0]))[:200], func(s string) bool { return s != "" }) {
		t.Error("an empty batch refers to records")
	}
}

func TestRowTypeOfSaysWhatCannotTravel(t *testing.T) {
	r, err := RowTypeOf[string]()
	if err != nil || r.Name() != "string" {
		t.Error(r.Name(), err)
	}
	type local struct{ F func() }
	lost, err := RowTypeOf[local]()
	const want = "operators.local cannot be encoded: operators.local.F is a func: leave it out"
	wantError(t, err, want)
	_, err = lost.Encode(nil, lost.New(0))
	wantError(t, err, want)
	wantError(t, lost.Decode(lost.New(0), nil), want)
	if lost.Name() != "operators.local" {
		t.Error(lost.Name())
	}
}

// What comes from a network is a batch that holds its invariants, or an error.
func FuzzDecodeBatch(f *testing.F) {
	rows := rowsOf[string]()
	b := batchOf[string]([]element{record("a", 3), watermark(2), record("b", -3), watermark(5)})
	p, _ := rows.Encode(nil, b)
	f.Add(p)
	b.Hashes = []uint64{1, 2}
	p, _ = rows.Encode(nil, b)
	f.Add(p)
	f.Fuzz(func(t *testing.T, p []byte) {
		b := rows.New(0)
		if rows.Decode(b, p) != nil {
			return
		}
		elementsOf[string](t, b) // checks the invariants
		again, err := rows.Encode(nil, b)
		if err != nil {
			t.Fatal(err)
		}
		back := rows.New(0)
		if err := rows.Decode(back, again); err != nil || !sameBatch(b, back) {
			t.Fatalf("%v came back as %v, %v", b, back, err)
		}
	})
}

func TestDamagedBatchesAreRefused(t *testing.T) {
	for _, c := range []struct{ p, want string }{
		{"", "batch is cut short"},
		{"\x04\x00", "batch is cut short"},
		{"\x00\x01\x01\x00", "mark 0 at record 1 of 0 is out of order"},
		{"\x00\x02\x00\x04\x00\x04", "mark 2 at record 0 of 0 is out of order"},
		{"\x02\x00\x00\x05a", "decoding record 0 of 1: decoding string: 5 bytes needed, 1 left: unexpected EOF"},
		{"\x00\x00!", "batch of 0 records: 1 bytes too many"},
	} {
		rows := rowsOf[string]()
		wantError(t, rows.Decode(rows.New(0), []byte(c.p)), c.want)
	}
}
