//go:build cgo && !norocksdb && unix

package rocksdb_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/files"
	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/dir"
	"github.com/weirflow/weir/persistence/memory"
	"github.com/weirflow/weir/persistence/rocksdb"
)

// watched is a backend whose KVs a test looks into.
type watched struct {
	persistence.Disk
	kvs []persistence.KV
}

func (w *watched) OpenKV(ctx context.Context, name string) (persistence.KV, error) {
	kv, err := w.Disk.OpenKV(ctx, name)
	w.kvs = append(w.kvs, kv)
	return kv, err
}

// counts are RocksDB's own: keys written and looked up, bytes that look-ups gave, scans begun.
type counts struct{ written, lookedUp, bytes, scans int }

func (w *watched) did(t *testing.T) counts {
	counters := map[string]int{}
	for line := range strings.Lines(rocksdb.StatisticsOf(w.kvs[0])) {
		if name, n, ok := strings.Cut(strings.TrimSpace(line), " COUNT : "); ok {
			counters[name], _ = strconv.Atoi(n)
		}
	}
	if _, ok := counters["rocksdb.number.keys.read"]; !ok {
		t.Fatalf("RocksDB counts nothing: %v", counters)
	}
	return counts{counters["rocksdb.number.keys.written"], counters["rocksdb.number.keys.read"], counters["rocksdb.bytes.read"], counters["rocksdb.number.db.seek"]}
}

const entries = 1_000_000

// touching fills a list and a map of one key, a million each, and then gets one entry.
type touching struct {
	list    operators.ListState[int64]
	entries operators.MapState[int64, int64]
	did     func() counts
	found   func(before, after counts, v int64, ok bool)
}

func (f *touching) ProcessElement(_ *operators.Context[int64, int64], v int64) error {
	if v < entries {
		f.list.Append(v)
		f.entries.Put(v, 2*v)
		return nil
	}
	before := f.did()
	got, ok := f.entries.Get(entries / 2)
	f.found(before, f.did(), got, ok)
	return nil
}

// S83: in a job on RocksDB, a million appends to one list and puts to one map look nothing up and scan nothing, by
// RocksDB's own count, and getting one of the million entries looks up one record, of its eight bytes.
func TestS83_RocksDBCounts(t *testing.T) {
	numbers := make([]int64, entries+1)
	for i := range numbers {
		numbers[i] = int64(i)
	}
	backend, asked := &watched{Disk: rocksdb.Backend(t.TempDir(), rocksdb.Statistics())}, 0
	top := operators.NewTopology("touching")
	in := operators.From(top, "numbers", operators.Slice(numbers...), operators.Monotonous(func(v int64) int64 { return v }))
	keyed := operators.KeyBy(in, func(int64) int64 { return 7 })
	operators.Process(keyed, "touch", func(s *operators.States[int64]) *touching {
		return &touching{
			list: operators.NewListState[int64](s, "list"), entries: operators.NewMapState[int64, int64](s, "map"),
			did: func() counts { return backend.did(t) },
			found: func(before, after counts, v int64, ok bool) {
				if asked++; before != (counts{written: 2 * entries}) {
					t.Errorf("%+v before the first Get", before)
				}
				if after != (counts{written: 2 * entries, lookedUp: 1, bytes: 8}) || v != entries || !ok {
					t.Errorf("%+v after it; it gave %d, %v", after, v, ok)
				}
			},
		}
	}).To("out", files.Sink[int64](t.TempDir()))
	if _, err := cluster.Run(t.Context(), top, cluster.Config{Backend: backend}); err != nil {
		t.Fatal(err)
	}
	if asked != 1 || len(backend.kvs) != 1 {
		t.Errorf("asked %d times, %d places on disk", asked, len(backend.kvs))
	}
}

// ledger uses every kind of state, and shows all of it now and then.
type ledger struct {
	n     operators.ValueState[int64]
	seen  operators.ListState[int64]
	hours operators.MapState[string, int64]
	most  operators.ReducingState[int64]
	fail  func(v int64)
}

func (f *ledger) ProcessElement(ctx *operators.Context[int64, string], v int64) error {
	f.fail(v)
	n, _ := f.n.Get()
	f.n.Set(n + 1)
	f.seen.Append(v)
	f.hours.Put(fmt.Sprint(v%10), v)
	f.most.Add(v * 7919 % 1000)
	if v%97 == 0 {
		f.hours.Delete(fmt.Sprint(v % 7))
	}
	if n%1000 == 999 {
		f.seen.Clear()
	}
	if n%100 == 0 {
		ctx.Emit(f.show(ctx.Key()))
	}
	return nil
}

func (f *ledger) show(key int64) string {
	n, _ := f.n.Get()
	most, _ := f.most.Get()
	var s strings.Builder
	fmt.Fprintf(&s, "%d: %d %d", key, n, most)
	for v := range f.seen.All() {
		fmt.Fprint(&s, " ", v)
	}
	for k, v := range f.hours.All() {
		fmt.Fprint(&s, " ", k, "=", v)
	}
	return s.String()
}

// keeps runs the ledger over the numbers, on backends in turn: each but the last fails for good
// at its number, and the next, at another parallelism, goes on from the last checkpoint.
func keeps(t *testing.T, backends ...persistence.Backend) []string {
	const numbers = 60_000
	out, store := t.TempDir(), dir.Open(t.TempDir())
	all := make([]int64, numbers)
	for i := range all {
		all[i] = int64(i)
	}
	for turn, backend := range backends {
		last := turn == len(backends)-1
		var failed atomic.Bool
		at := int64(numbers/len(backends)*(turn+1) - 1)
		top := operators.NewTopology("keeps").Parallelism(1 + turn%3)
		in := operators.From(top, "numbers", operators.Slice(all...), operators.Monotonous(func(v int64) int64 { return v }))
		operators.Process(operators.KeyBy(in, func(v int64) int64 { return v % 13 }), "ledger", func(s *operators.States[int64]) *ledger {
			return &ledger{
				n: operators.NewValueState[int64](s, "n"), seen: operators.NewListState[int64](s, "seen"),
				hours: operators.NewMapState[string, int64](s, "hours"), most: operators.NewReducingState(s, "most", func(a, b int64) int64 { return max(a, b) }),
				fail: func(v int64) {
					if v == at-1000 && failed.CompareAndSwap(false, true) || v == at && !last {
						panic("out of luck")
					}
				},
			}
		}).To("out", files.Sink[string](out))
		restart := cluster.FixedDelay{Attempts: 1, Delay: time.Millisecond}
		_, err := cluster.Run(t.Context(), top, cluster.Config{Checkpoint: cluster.Every(5 * time.Millisecond), Store: store, Backend: backend, Restart: restart})
		if (err == nil) != last {
			t.Fatalf("turn %d: %v", turn, err)
		}
	}
	lines, err := files.ReadAll[string](out, files.AsJSONLines)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return lines
}

// S90, S91: the same job gives the same results on the heap and on RocksDB, whose buffers are so small here that most
// of the state is in files; after failures, at any parallelism, and from one backend to the other.
func TestS90_SameResultsOnRocksDB(t *testing.T) {
	folder := t.TempDir()
	disk := rocksdb.Backend(folder, rocksdb.WriteBuffer(64<<10), rocksdb.BlockCache(1<<20))
	want := keeps(t, memory.Backend())
	for name, backends := range map[string][]persistence.Backend{
		"on disk":     {disk},
		"rescaled":    {disk, disk, disk},
		"from memory": {memory.Backend(), disk, memory.Backend(), disk},
	} {
		if got := keeps(t, backends...); !slices.Equal(got, want) {
			t.Errorf("%s: %d results, want %d; the first: %.200q", name, len(got), len(want), got)
		}
	}
	if left, err := os.ReadDir(folder); len(left) > 0 || err != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// What a killed process left is removed by the next one; what one that runs holds is not.
func TestFoldersOfDeadProcessesGo(t *testing.T) {
	folder := t.TempDir()
	dead := filepath.Join(folder, "run-1-1")
	if err := os.MkdirAll(filepath.Join(dead, "1-tips"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dead+".lock", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, foreign := range []string{"run-results", "run-1-1-", "run-01-1"} { // not ours, by the name
		if err := os.Mkdir(filepath.Join(folder, foreign), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, foreign+".lock"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	first, second := rocksdb.Backend(folder), rocksdb.Backend(folder)
	a, err := first.OpenKV(t.Context(), "a job/with: any name")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dead); !os.IsNotExist(err) {
		t.Errorf("the folder of a dead process is there: %v", err)
	}
	b, err := second.OpenKV(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	locks := ours(t, folder)
	for _, lock := range locks {
		if _, err := os.Stat(filepath.Join(folder, strings.TrimSuffix(lock, ".lock"))); err != nil {
			t.Errorf("the second one took the first one's folder: %v", err)
		}
	}
	if len(locks) != 2 || slices.Contains(locks, "run-1-1.lock") {
		t.Errorf("locks %v, want those of the two that run", locks)
	}
	for _, kv := range []persistence.KV{a, b} {
		if err := kv.Close(); err != nil {
			t.Error(err)
		}
	}
	if left := ours(t, folder); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if files, err := os.ReadDir(folder); len(files) != 6 || err != nil {
		t.Errorf("of what is somebody else's there is %v, %v", files, err)
	}
}

// ours gives the locks of runs in a folder, whatever is in its name.
func ours(t *testing.T, folder string) (locks []string) {
	t.Helper()
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		var pid, n int
		if _, err := fmt.Sscanf(f.Name(), "run-%d-%d.lock", &pid, &n); err == nil && f.Name() == fmt.Sprintf("run-%d-%d.lock", pid, n) {
			locks = append(locks, f.Name())
		}
	}
	return locks
}

// A lock that cannot be had for another reason than that somebody has it is an error, not waited for.
func TestLockErrors(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "lock"))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if taken, err := rocksdb.LockTaken(f); taken || err == nil || !strings.Contains(err.Error(), "needs a file system with locks") {
		t.Errorf("taken %v: %v", taken, err)
	}
}

// stubborn is a plain sink whose Flush fails a few times.
type stubborn struct{ left *atomic.Int64 }

func (s stubborn) Kind() operators.SinkKind { return operators.Plain }
func (s stubborn) Open(context.Context, operators.SinkContext) (operators.Writer[string], error) {
	return s, nil
}
func (s stubborn) Write(context.Context, *operators.Batch[string]) error { return nil }
func (s stubborn) Close() error                                          { return nil }
func (s stubborn) Flush(context.Context) error {
	if s.left.Add(-1) >= 0 {
		return errors.New("out of luck")
	}
	return nil
}

// pulling leaves an iteration over its map open, behind a sink that fails: neither keeps a RocksDB open.
type pulling struct {
	entries operators.MapState[int64, int64]
	next    func() (int64, int64, bool)
}

func (f *pulling) ProcessElement(_ *operators.Context[int64, string], v int64) error {
	f.entries.Put(v, v)
	if v%100 == 99 {
		f.next, _ = iter.Pull2(f.entries.All())
		f.next()
	}
	return nil
}

// Failing flushes, and iterations that nobody ends, leave nothing open when the job is over.
func TestNothingStaysOpen(t *testing.T) {
	folder, left := t.TempDir(), &atomic.Int64{}
	left.Store(5)
	all := make([]int64, 20_000)
	for i := range all {
		all[i] = int64(i)
	}
	top := operators.NewTopology("stubborn")
	in := operators.From(top, "numbers", operators.Slice(all...), operators.Monotonous(func(v int64) int64 { return v }))
	operators.Process(operators.KeyBy(in, func(v int64) int64 { return v % 3 }), "pulling", func(s *operators.States[int64]) *pulling {
		return &pulling{entries: operators.NewMapState[int64, int64](s, "map")}
	}).To("out", stubborn{left})
	_, err := cluster.Run(t.Context(), top, cluster.Config{
		Checkpoint: cluster.Every(time.Millisecond), Backend: rocksdb.Backend(folder, rocksdb.WriteBuffer(64<<10)),
		Restart: cluster.FixedDelay{Attempts: 10, Delay: time.Millisecond},
	})
	if err != nil || left.Load() >= 0 {
		t.Fatalf("%v; %d failures left", err, left.Load())
	}
	if files, err := os.ReadDir(folder); len(files) > 0 || err != nil {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

func TestOptionErrors(t *testing.T) {
	for want, backend := range map[string]persistence.Disk{
		"rocksdb.Backend: the folder is empty; name one on a local disk":                             rocksdb.Backend(""),
		"rocksdb.BlockCache(5): 5 bytes are too few; give at least 1048576":                          rocksdb.Backend(t.TempDir(), rocksdb.BlockCache(5)),
		"rocksdb.WriteBuffer(-1): -1 bytes are too few; give at least 65536":                         rocksdb.Backend(t.TempDir(), rocksdb.WriteBuffer(-1)),
		`rocksdb.Backend("/dev/null/x"): make a folder to work in: mkdir /dev/null: not a directory`: rocksdb.Backend("/dev/null/x"),
	} {
		if _, err := backend.OpenKV(t.Context(), "kv"); err == nil || err.Error() != want {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}
