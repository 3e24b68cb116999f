package operators

import "testing"

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
