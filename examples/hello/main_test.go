package main

import (
	"testing"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/files"
)

// 100 000 visits, 25 ms apart, over 7 pages: 42 windows, the last one short.
func TestHello(t *testing.T) {
	t.Chdir(t.TempDir())
	main()
	results, err := files.ReadAll[operators.WindowResult[string, int]]("out", files.AsJSONLines)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]map[int64]int{}
	for i := range 100_000 {
		page := string(rune('0' + i%7))
		if want[page] == nil {
			want[page] = map[int64]int{}
		}
		want[page][int64(i)*25/60_000*60_000]++
	}
	for _, r := range results {
		page := r.Key[len("/page/"):]
		if want[page][r.Start] != r.Value || r.End != r.Start+60_000 {
			t.Errorf("%+v, want %d visits", r, want[page][r.Start])
		}
		delete(want[page], r.Start)
	}
	for page, left := range want {
		if len(left) > 0 {
			t.Errorf("page %s: no result for %v", page, left)
		}
	}
}

// Running it again over what it left changes nothing.
func TestHelloTwice(t *testing.T) {
	t.Chdir(t.TempDir())
	main()
	first, err := files.Committed("out")
	if err != nil {
		t.Fatal(err)
	}
	main()
	second, err := files.Committed("out")
	if err != nil {
		t.Fatal(err)
	}
	if len(first) == 0 || len(first) != len(second) {
		t.Errorf("%d files after the first run, %d after the second", len(first), len(second))
	}
}
