package kafka

import (
	"bytes"
	"context"
	"testing"

	"github.com/weirflow/weir/operators/kafka/records"
)

// keptHandle is a handle that keeps some batches for partitions 0 and 2.
func keptHandle(t testing.TB) []byte {
	t.Helper()
	var b records.Builder
	txn := &transaction{ID: "job/sink/0/1/0", Topic: "out", Writer: "w", Number: 1, Written: []written{{0, 10, 12, 3}, {2, 4, 4, 1}}}
	for _, partition := range []int32{0, 2} {
		bytes := 0
		for range 2 {
			b.Append(1, []byte("key"), []byte("value"), nil)
			batch := b.Finish(nil, nil)
			txn.output = append(txn.output, batch...)
			bytes += len(batch)
		}
		txn.Kept = append(txn.Kept, keptBatches{partition, bytes})
	}
	txn.Output = len(txn.output)
	handle, err := txn.encode()
	if err != nil {
		t.Fatal(err)
	}
	return handle
}

// idle is a producer of a topic with three partitions that sends nothing.
func idle() *producer {
	p := &producer{changed: make(chan struct{}), sending: map[int32]bool{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.cancel()
	for i := range int32(3) {
		p.lanes = append(p.lanes, &lane{partition: partition{"out", i}})
	}
	return p
}

// Whatever a handle is, it is taken or refused, never a panic.
func FuzzHandle(f *testing.F) {
	handle := keptHandle(f)
	f.Add(handle, 0, false)
	f.Add(bytes.Replace(handle, []byte(`"partition":2`), []byte(`"partition":3`), 1), 0, false)
	f.Add(bytes.Replace(handle, []byte(`"partition":2`), []byte(`"partition":-2`), 1), 0, false)
	f.Add(bytes.Replace(handle, []byte(`"bytes":`), []byte(`"bytes":-`), 1), 0, false)
	f.Add(bytes.Replace(handle, []byte(`"bytes":`), []byte(`"bytes":922337203685477`), 1), 0, false)
	f.Add(bytes.Replace(handle, []byte(`"kept":[`), []byte(`"kept":[{"partition":1,"bytes":0},`), 1), 0, false)
	f.Add(handle, len(handle)-1, true)
	f.Fuzz(func(t *testing.T, handle []byte, at int, sum bool) {
		handle = bytes.Clone(handle)
		if at > 0 && at < len(handle) {
			handle[at] ^= 4
		}
		txn, err := decodeTransaction(handle)
		if err != nil && sum { // get past the checksum
			txn = &transaction{ID: "x", Kept: []keptBatches{{0, len(handle)}}, output: handle}
			if again, bad := txn.encode(); bad == nil && len(handle) > 0 {
				if txn, err = decodeTransaction(again); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err == nil {
			_ = idle().addKept(t.Context(), txn)
		}
	})
}

// A bit that flips is no panic, and in the output it is found before that is sent.
func TestDamagedOutputIsRefused(t *testing.T) {
	handle := keptHandle(t)
	output := bytes.IndexByte(handle, '\n') + 1
	for bit := range 8 * len(handle) {
		damaged := bytes.Clone(handle)
		damaged[bit/8] ^= 1 << (bit % 8)
		txn, err := decodeTransaction(damaged)
		if err == nil {
			_ = idle().addKept(t.Context(), txn)
			if bit/8 >= output {
				t.Errorf("bit %d is damaged, and taken", bit)
			}
		}
	}
}

// Output for a partition that is not there is refused before any of it is sent.
func TestKeptForNoPartition(t *testing.T) {
	for _, partition := range []int32{3, -1} {
		txn, err := decodeTransaction(keptHandle(t))
		if err != nil {
			t.Fatal(err)
		}
		txn.Kept[1].Partition = partition
		if p := idle(); p.addKept(t.Context(), txn) == nil || p.waiting > 0 {
			t.Errorf("partition %d: %d bytes wait, want none", partition, p.waiting)
		}
	}
}
