package table_test

import (
	"fmt"
	"slices"

	"github.com/weirflow/weir/persistence/table"
)

// Counts go on while the counts at the barrier are read.
func Example() {
	counts := table.New[int64](table.Options[int]{})
	count := func(key int64) {
		n, _ := counts.Upsert(table.Mix64(uint64(key)), key)
		*n++
	}
	count(7)
	count(7)

	frozen := counts.Freeze()
	count(7)
	count(8)

	frozen.Scan(func(_ uint64, key *int64, n *int) bool {
		fmt.Println("frozen:", *key, *n)
		return true
	})
	frozen.Release()
	n, _ := counts.Get(table.Mix64(7), 7)
	fmt.Println("now:", counts.Len(), "keys,", n, "of 7")
	// Output:
	// frozen: 7 2
	// now: 2 keys, 3 of 7
}

// With TrackDirty a frozen table knows what changed since the one before.
func ExampleFrozen_ScanDirty() {
	t := table.New[uint64](table.Options[string]{TrackDirty: true})
	for key := range uint64(4) {
		v, _ := t.Upsert(table.Mix64(key), key)
		*v = "first"
	}
	t.Freeze().Release()

	v, _ := t.Upsert(table.Mix64(2), 2)
	*v = "second"
	t.Delete(table.Mix64(3), 3)

	frozen := t.Freeze()
	defer frozen.Release()
	frozen.ScanDirty(func(_ uint64, key *uint64, v *string) bool {
		fmt.Println("put", *key, *v)
		return true
	})
	frozen.ScanDeleted(func(_ uint64, key *uint64) bool {
		fmt.Println("delete", *key)
		return true
	})
	// Output:
	// put 2 second
	// delete 3
}

// Values that are changed in place need a Clone.
func ExampleOptions() {
	t := table.New[uint64](table.Options[[]int]{Clone: slices.Clone[[]int]})
	v, _ := t.Upsert(table.Mix64(1), 1)
	*v = []int{10}

	frozen := t.Freeze()
	v, _ = t.Upsert(table.Mix64(1), 1)
	(*v)[0] = 20

	was, _ := frozen.Get(table.Mix64(1), 1)
	fmt.Println(was, *v)
	// Output: [10] [20]
}
