package operatortest

import "fmt"

// variant is one way to run a script. None of what it chooses may be seen in
// the output.
type variant struct {
	size        int // records in a batch, at most
	parallelism int // at the beginning
	cut         int // a snapshot is taken before this step and restored; 0: none, everywhere: before each
	restored    int // the parallelism then; 0: one more, and 1 after maxParallel
}

const (
	everywhere  = -1
	maxParallel = 3
)

var sizes = []int{1, 2, 512}

// moves are the parallelisms before and after a cut.
var moves = [][2]int{{1, 1}, {1, 2}, {2, 3}, {3, 1}}

// straight is what all others are compared with: a record at a time.
var straight = variant{size: 1, parallelism: 1}

// variants lists all ways to run a script with cuts at the given steps.
func variants(cuts []int) (all []variant) {
	for _, size := range sizes {
		for p := 1; p <= maxParallel; p++ {
			all = append(all, variant{size: size, parallelism: p})
		}
		for _, cut := range cuts {
			for _, m := range moves {
				all = append(all, variant{size: size, parallelism: m[0], cut: cut, restored: m[1]})
			}
		}
		if len(cuts) > 1 {
			all = append(all, variant{size: size, parallelism: 1, cut: everywhere})
		}
	}
	return all
}

// cuts tells whether a snapshot is restored before step i, and how.
func (v variant) cuts(i, parallelism int) (next int, yes bool) {
	switch {
	case v.cut == everywhere:
		return parallelism%maxParallel + 1, true
	case v.cut == i && i > 0:
		return v.restored, true
	}
	return 0, false
}

// ordered tells whether results of different keys must come in one order, too:
// where nothing was moved, there is no reason for another.
func (v variant) ordered() bool { return v.parallelism == 1 && v.cut == 0 }

func (v variant) String() string {
	text := fmt.Sprintf("batches of %d, parallelism %d", v.size, v.parallelism)
	switch {
	case v.cut == everywhere:
		text += ", with a snapshot restored before every step, each time at the next parallelism of 1, 2, 3"
	case v.cut > 0:
		text += fmt.Sprintf(", with a snapshot restored before step %d at parallelism %d", v.cut+1, v.restored)
	}
	return text
}
