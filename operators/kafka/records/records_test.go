package records_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/weirflow/weir/operators/kafka/records"
)

// row is a record as tests write and expect it.
type row struct {
	time       int64
	key, value []byte
	headers    []records.Header
}

func drawBytes(t *rapid.T, name string) []byte {
	if rapid.IntRange(0, 4).Draw(t, name+" null") == 0 {
		return nil
	}
	return append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, name)...)
}

func drawRows(t *rapid.T) []row {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) row {
		r := row{time: rapid.Int64Range(-1<<40, 1<<50).Draw(t, "time"), key: drawBytes(t, "key"), value: drawBytes(t, "value")}
		for range rapid.IntRange(0, 3).Draw(t, "headers") {
			r.headers = append(r.headers, records.Header{Key: rapid.StringN(0, 5, 20).Draw(t, "header"), Value: drawBytes(t, "header value")})
		}
		return r
	}), 1, 50).Draw(t, "rows")
}

func build(rows []row, p records.Producer) []byte {
	var b records.Builder
	for _, r := range rows {
		b.Append(r.time, r.key, r.value, r.headers)
	}
	batch := b.Finish(nil, nil)
	records.Stamp(batch, p)
	return batch
}

func same(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

func sameHeaders(a, b []records.Header) bool {
	return slices.EqualFunc(a, b, func(x, y records.Header) bool { return x.Key == y.Key && same(x.Value, y.Value) })
}

// What is built is what another implementation reads, field by field.
func TestABatchIsWhatOthersRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := drawRows(t)
		p := records.Producer{ID: rapid.Int64().Draw(t, "id"), Epoch: rapid.Int16().Draw(t, "epoch"), Sequence: rapid.Int32().Draw(t, "sequence"), Transactional: rapid.Bool().Draw(t, "transactional")}
		batch := build(rows, p)
		var theirs kmsg.RecordBatch
		if err := theirs.ReadFrom(batch); err != nil {
			t.Fatal(err)
		}
		if theirs.ProducerID != p.ID || theirs.ProducerEpoch != p.Epoch || theirs.FirstSequence != p.Sequence || theirs.Attributes&0x10 != 0 != p.Transactional {
			t.Fatalf("producer %+v is read as %+v", p, theirs)
		}
		if int(theirs.NumRecords) != len(rows) || int(theirs.LastOffsetDelta) != len(rows)-1 || theirs.FirstTimestamp != rows[0].time || theirs.Magic != 2 {
			t.Fatalf("%d records from %d ms are read as %+v", len(rows), rows[0].time, theirs)
		}
		latest := slices.MaxFunc(rows, func(a, b row) int { return int(a.time - b.time) }).time
		if theirs.MaxTimestamp != latest {
			t.Fatalf("greatest time %d, want %d", theirs.MaxTimestamp, latest)
		}
		raw := theirs.Records
		for i, want := range rows {
			var r kmsg.Record
			length, n := kbinVarint(raw)
			if err := r.ReadFrom(raw[:n+length]); err != nil {
				t.Fatalf("record %d: %v", i, err)
			}
			raw = raw[n+length:]
			if int(r.OffsetDelta) != i || theirs.FirstTimestamp+r.TimestampDelta64 != want.time || !bytes.Equal(r.Key, want.key) || !bytes.Equal(r.Value, want.value) || len(r.Headers) != len(want.headers) {
				t.Fatalf("record %d is read as %+v, want %+v", i, r, want)
			}
		}
		if len(raw) > 0 {
			t.Fatalf("%d bytes are left", len(raw))
		}
	})
}

func kbinVarint(p []byte) (value, size int) {
	u, shift := 0, 0
	for i, b := range p {
		u |= int(b&0x7f) << shift
		if shift += 7; b < 0x80 {
			return u >> 1, i + 1
		}
	}
	return 0, 0
}

// What is built is read again, null told from empty; a response may hold several
// batches and end within one.
func TestReadsWhatItBuilds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first, second := drawRows(t), drawRows(t)
		response := append(build(first, records.NoProducer()), build(second, records.Producer{ID: 7, Transactional: true})...)
		cut := rapid.IntRange(0, len(response)).Draw(t, "cut")
		var got []row
		rest, err := response[:cut], error(nil)
		for {
			var b records.Batch
			if b, rest, err = records.Next(rest); err != nil {
				break
			}
			got = append(got, rowsOf(t, b)...)
		}
		if !errors.Is(err, records.ErrPartial) {
			t.Fatal(err)
		}
		want := append(slices.Clone(first), second...)
		switch {
		case cut < len(build(first, records.NoProducer())):
			want = nil
		case cut < len(response):
			want = first
		}
		if !slices.EqualFunc(got, want, func(a, b row) bool {
			return a.time == b.time && same(a.key, b.key) && same(a.value, b.value) && sameHeaders(a.headers, b.headers)
		}) {
			t.Fatalf("read %+v, want %+v", got, want)
		}
	})
}

type failing interface{ Fatal(...any) }

func rowsOf(t failing, b records.Batch) (rows []row) {
	c, r := b.Records(b.Body()), records.Record{}
	for {
		ok, err := c.Next(&r)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return rows
		}
		if want := b.FirstOffset + int64(len(rows)); r.Offset != want {
			t.Fatal("offset", r.Offset, "want", want)
		}
		headers, err := r.Headers(nil)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row{r.Time, r.Key, r.Value, headers})
	}
}

// A batch as a log has it becomes that of its producer again.
func TestRenew(t *testing.T) {
	rows := []row{{time: 5, key: []byte("k"), value: []byte("v")}, {time: 9}}
	p := records.Producer{ID: 7, Epoch: 3, Sequence: 4, Transactional: true}
	want := build(rows, p)
	logged := slices.Clone(want)
	logged[7], logged[15], logged[22] = 42, 1, logged[22]|0x08|0x40 // offset, leader epoch, time of the log, cleaned
	records.Stamp(logged, p)
	if b, _, err := records.Next(logged); err != nil || b.Epoch != 3 || b.FirstOffset != 42 {
		t.Fatalf("%+v, %v", b, err)
	}
	records.Renew(logged)
	records.Stamp(logged, p)
	if !bytes.Equal(logged[16:], want[16:]) || !bytes.Equal(logged[:12], want[:12]) {
		t.Errorf("renewed %x, want %x", logged, want)
	}
}

// Every flipped bit behind what the broker sets is found by the checksum.
func TestDamageIsFound(t *testing.T) {
	batch := build([]row{{time: 5, key: []byte("k"), value: []byte("value")}}, records.NoProducer())
	for bit := 21 * 8; bit < len(batch)*8; bit++ {
		damaged := slices.Clone(batch)
		damaged[bit/8] ^= 1 << (bit % 8)
		if _, _, err := records.Next(damaged); err == nil || !strings.Contains(err.Error(), "the batch at offset 0 has checksum") {
			t.Fatalf("bit %d: %v", bit, err)
		}
	}
}

// Old formats and impossible sizes are refused by name.
func TestRefuses(t *testing.T) {
	batch := build([]row{{time: 5}}, records.NoProducer())
	old := slices.Clone(batch)
	old[16] = 1
	short := slices.Clone(batch)
	short[11] = 3
	for _, c := range []struct {
		p    []byte
		want string
	}{
		{old, "the batch at offset 0 has message format 1, which is older than Kafka 0.11; only format 2 is read"},
		{short, "the batch at offset 0 says it has 15 bytes; a header has 61"},
	} {
		if _, _, err := records.Next(c.p); err == nil || err.Error() != c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// Whatever comes from outside is read or refused, never a panic.
func FuzzNext(f *testing.F) {
	f.Add(build([]row{{time: 5, key: []byte("k"), headers: []records.Header{{"h", nil}}}}, records.NoProducer()), true)
	f.Fuzz(func(t *testing.T, p []byte, stamp bool) {
		if stamp && len(p) >= records.HeaderSize { // get past the checksum
			p = slices.Clone(p)
			records.Stamp(p, records.NoProducer())
		}
		b, _, err := records.Next(p)
		if err != nil {
			return
		}
		var a records.Aborted
		a.Skip(&b)
		c, r := b.Records(b.Body()), records.Record{}
		for {
			ok, err := c.Next(&r)
			if !ok || err != nil {
				return
			}
			if _, err := r.Headers(nil); err != nil {
				return
			}
		}
	})
}

// batchAt is a batch of two records at an offset, as a response has it.
func batchAt(offset int64, producer int64, kind string) []byte {
	var b records.Builder
	b.Append(1, nil, []byte("a"), nil)
	b.Append(1, nil, []byte("b"), nil)
	if kind == "abort" || kind == "commit" {
		b.Reset()
		b.Append(1, map[string][]byte{"abort": {0, 0, 0, 0}, "commit": {0, 0, 0, 1}}[kind], []byte("marker"), nil)
	}
	p := b.Finish(nil, nil)
	p[7] = byte(offset)
	if kind == "abort" || kind == "commit" {
		p[22] |= 0x20
	}
	records.Stamp(p, records.Producer{ID: producer, Transactional: kind != "plain"})
	return p
}

// What is read of transactions that interleave: committed ones, plain records, and
// nothing of an aborted one, also when its producer goes on with another.
func TestAbortedAreSkipped(t *testing.T) {
	response := slices.Concat(
		batchAt(0, 1, "data"), batchAt(2, 2, "data"), batchAt(4, -1, "plain"), batchAt(6, 1, "abort"), batchAt(7, 1, "data"),
		batchAt(9, 2, "commit"), batchAt(10, 1, "commit"), batchAt(11, 1, "data"), batchAt(13, 1, "abort"), batchAt(14, 2, "data"))
	a := records.NewAborted([]records.AbortedTransaction{{1, 11}, {1, 0}, {3, 0}})
	var read []int64
	for len(response) > 0 {
		b, rest, err := records.Next(response)
		if err != nil {
			t.Fatal(err)
		}
		if response = rest; !a.Skip(&b) {
			read = append(read, b.FirstOffset)
		}
	}
	if want := []int64{2, 4, 7, 14}; !slices.Equal(read, want) {
		t.Errorf("read the batches at %v, want %v", read, want)
	}
}

func BenchmarkAppend(b *testing.B) {
	var builder records.Builder
	key, value := make([]byte, 8), make([]byte, 100)
	var out []byte
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if builder.Append(int64(i), key, value, nil); builder.Count() == 8000 {
			out = builder.Finish(out, nil)
			records.Stamp(out, records.NoProducer())
		}
	}
}

func BenchmarkNext(b *testing.B) {
	var rows []row
	for i := range 8000 {
		rows = append(rows, row{time: int64(i), key: make([]byte, 8), value: make([]byte, 100)})
	}
	batch := build(rows, records.NoProducer())
	b.ReportAllocs()
	for n := 0; n < b.N; {
		at, _, err := records.Next(batch)
		if err != nil {
			b.Fatal(err)
		}
		c, r := at.Records(at.Body()), records.Record{}
		for {
			if ok, _ := c.Next(&r); !ok {
				break
			}
			n++
		}
	}
}
