package credit

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"
)

func isBatch(e string) bool { return strings.HasPrefix(e, "b") }

func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		if filepath.Ext(path) != ".txt" {
			return // what rapid leaves of a failure
		}
		var w *Window[string]
		var sent []string
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "new" {
				n := 0
				d.ScanArgs(t, "limit", &n)
				w = NewWindow(n, isBatch, func(e string) { sent = append(sent, e) })
			}
			var b strings.Builder
			for _, word := range strings.Fields(d.Input) {
				var n int
				var err error
				if _, bad := fmt.Sscanf(word, "+%d", &n); bad == nil {
					err = w.Return(n)
				} else {
					w.Offer(word)
				}
				fmt.Fprintf(&b, "%-4s sent %-12s credits %d, waiting %d", word, "["+strings.Join(sent, " ")+"]", w.Credits(), w.Waiting())
				if w.Open() {
					b.WriteString(", open")
				}
				if sent = sent[:0]; err != nil {
					fmt.Fprintf(&b, ": %v", err)
				}
				b.WriteByte('\n')
			}
			return b.String()
		})
	})
}

// Over any order of offers and returns everything goes out once and in order,
// and never are more batches under way than there are credits.
func TestOrderAndBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 4).Draw(t, "limit")
		underway, next, expected := 0, 0, 0
		w := NewWindow(limit, isBatch, func(e string) {
			var k int
			fmt.Sscanf(e[1:], "%d", &k)
			if k != expected {
				t.Fatalf("%s went out, %d was next", e, expected)
			}
			if expected++; isBatch(e) {
				underway++
			}
		})
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				w.Offer(fmt.Sprintf("b%d", next))
				next++
			case 1:
				w.Offer(fmt.Sprintf("x%d", next))
				next++
			case 2:
				if underway > 0 {
					n := rapid.IntRange(1, underway).Draw(t, "n")
					underway -= n
					if err := w.Return(n); err != nil {
						t.Fatal(err)
					}
				}
			}
			if underway > limit || underway+w.Credits() != limit {
				t.Fatalf("%d under way, %d credits, limit %d", underway, w.Credits(), limit)
			}
		}
		for underway > 0 {
			underway--
			if err := w.Return(1); err != nil {
				t.Fatal(err)
			}
		}
		if expected != next || w.Waiting() != 0 {
			t.Fatalf("%d of %d went out", expected, next)
		}
	})
}
