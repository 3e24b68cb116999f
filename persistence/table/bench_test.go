package table

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

func filled(n int) (*Table[int64, int64], []int64) {
	t, keys := New[int64](Options[int64]{}), make([]int64, n)
	for i := range keys {
		keys[i] = int64(Mix64(uint64(i) + 1))
		v, _ := t.Upsert(Mix64(uint64(keys[i])), keys[i])
		*v = int64(i)
	}
	return t, keys
}

// shuffled gives indexes below n in an order without locality.
func shuffled(n int) []int32 {
	order, x := make([]int32, n), uint64(7)
	for i := range order {
		order[i] = int32(i)
	}
	for i := n - 1; i > 0; i-- {
		x = Mix64(x + 0x9e3779b97f4a7c15)
		j := int(x % uint64(i+1))
		order[i], order[j] = order[j], order[i]
	}
	return order
}

// probes is the keys in random order with their hashes beside them, as a batch
// has them.
type probe struct {
	hash uint64
	key  int64
}

func probesOf(keys []int64) []probe {
	ps := make([]probe, len(keys))
	for i, j := range shuffled(len(keys)) {
		ps[i] = probe{Mix64(uint64(keys[j])), keys[j]}
	}
	return ps
}

// Probes in runs, as a batch has them, each run fetched before or not.
func BenchmarkUpsertRuns(b *testing.B) {
	for _, fetch := range []bool{false, true} {
		b.Run(fmt.Sprint("fetch=", fetch), func(b *testing.B) {
			t, keys := filled(100_000)
			ps := probesOf(keys)
			hashes := make([]uint64, len(ps))
			for i := range ps {
				hashes[i] = ps[i].hash
			}
			b.ResetTimer()
			j, seen := 0, uint64(0)
			for range b.N / 32 {
				if j+32 > len(ps) {
					j = 0
				}
				if fetch {
					seen ^= t.Fetch(hashes[j : j+32])
				}
				for _, p := range ps[j : j+32] {
					v, _ := t.Upsert(p.hash, p.key)
					*v++
				}
				j += 32
			}
			runtime.KeepAlive(seen)
		})
	}
}

func BenchmarkUpsertExisting(b *testing.B) {
	for _, n := range []int{1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			t, keys := filled(n)
			ps := probesOf(keys)
			b.ReportAllocs()
			b.ResetTimer()
			j := 0
			for range b.N {
				p := &ps[j]
				if j++; j == len(ps) {
					j = 0
				}
				v, _ := t.Upsert(p.hash, p.key)
				*v++
			}
		})
	}
}

func BenchmarkGet(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			t, keys := filled(n)
			ps := probesOf(keys)
			b.ResetTimer()
			j, sum := 0, int64(0)
			for range b.N {
				p := &ps[j]
				if j++; j == len(ps) {
					j = 0
				}
				v, _ := t.Get(p.hash, p.key)
				sum += v
			}
			runtime.KeepAlive(sum)
		})
	}
}

// BenchmarkGoMap is the yardstick: m[k]++ of a plain map over the same keys.
func BenchmarkGoMap(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			_, keys := filled(n)
			ps, m := probesOf(keys), make(map[int64]int64)
			for _, k := range keys {
				m[k] = 0
			}
			b.ResetTimer()
			j := 0
			for range b.N {
				p := &ps[j]
				if j++; j == len(ps) {
					j = 0
				}
				m[p.key]++
			}
		})
	}
}

func BenchmarkInsert(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		filled(1_000_000)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1e6, "ns/insert")
}

func BenchmarkGoMapInsert(b *testing.B) {
	for b.Loop() {
		m := map[int64]int64{}
		for i := range 1_000_000 {
			m[int64(Mix64(uint64(i)+1))] = int64(i)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1e6, "ns/insert")
}

func BenchmarkFreeze(b *testing.B) {
	t, keys := filled(1_000_000)
	ps := probesOf(keys)
	var frozen, batch time.Duration
	j := 0
	for b.Loop() {
		start := time.Now()
		f := t.Freeze()
		frozen += time.Since(start)
		start = time.Now()
		for range 512 {
			v, _ := t.Upsert(ps[j].hash, ps[j].key)
			*v++
			j = (j + 1) % len(ps)
		}
		batch += time.Since(start)
		f.Release()
	}
	b.ReportMetric(float64(frozen.Nanoseconds())/float64(b.N), "ns/freeze")
	b.ReportMetric(float64(batch.Nanoseconds())/float64(b.N), "ns/512-upserts-after")
}

func BenchmarkScan(b *testing.B) {
	t, _ := filled(1_000_000)
	sum := int64(0)
	for b.Loop() {
		t.Scan(func(_ uint64, _ *int64, v *int64) bool { sum += *v; return true })
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1e6, "ns/entry")
}

func BenchmarkDeleteInsert(b *testing.B) {
	t, keys := filled(100_000)
	ps := probesOf(keys)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		p := &ps[i%len(ps)]
		t.Delete(p.hash, p.key)
		t.Upsert(p.hash, p.key)
	}
}

func BenchmarkMemory(b *testing.B) {
	for _, n := range []int{1_000_000, 1_300_000, 1_600_000, 2_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				before := heap()
				t, _ := filled(n)
				b.ReportMetric(float64(heap()-before)/float64(n), "B/entry")
				b.ReportMetric(float64(len(t.dir))/float64(t.segmentCount), "dir/segment")
				runtime.KeepAlive(t)
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
