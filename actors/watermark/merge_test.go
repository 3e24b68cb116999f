package watermark

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
)

// The scripts hold S41's "complete up to t" over several inputs and the idle
// half of S1: an input without data must not hold the watermark back.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		if filepath.Ext(path) != ".txt" {
			return // what rapid leaves of a failure
		}
		var m *Merge
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "new" {
				n := 0
				d.ScanArgs(t, "inputs", &n)
				m = NewMerge(n)
				return show(m) + "\n"
			}
			var b strings.Builder
			for _, line := range strings.Split(strings.TrimSpace(d.Input), "\n") {
				fmt.Fprintf(&b, "%-16s %s\n", line, step(m, line))
			}
			return b.String()
		})
	})
}

func step(m *Merge, line string) string {
	var i int
	var w int64
	var word string
	grew := false
	if _, err := fmt.Sscanf(line, "restore %d %d %s", &i, &w, &word); err == nil {
		m.Restore(i, w, word == "idle")
	} else if _, err := fmt.Sscanf(line, "current %d", &w); err == nil {
		m.RestoreCurrent(w)
	} else if line == "raise" {
		grew = m.Raise()
	} else if line == "add" {
		m.Add(messages.NoWatermark, false)
	} else if _, err := fmt.Sscanf(line, "%d: max", &i); err == nil && strings.HasSuffix(line, "max") {
		grew = m.Advance(i, messages.MaxWatermark)
	} else if _, err := fmt.Sscanf(line, "%d: %d", &i, &w); err == nil {
		grew = m.Advance(i, w)
	} else if _, err := fmt.Sscanf(line, "%d: %s", &i, &word); err == nil {
		grew = m.SetIdle(i, word == "idle")
	}
	s := show(m)
	if grew {
		s += " grew"
	}
	return s
}

func show(m *Merge) string {
	var b strings.Builder
	for i := range m.inputs {
		in := &m.inputs[i]
		fmt.Fprintf(&b, "%s%s ", number(in.watermark), map[bool]string{true: "(idle)"}[in.idle]+map[bool]string{true: "(lagging)"}[in.lagging])
	}
	fmt.Fprintf(&b, "=> %s", number(m.Current()))
	if m.Idle() {
		b.WriteString(" idle")
	}
	return b.String()
}

func number(w int64) string {
	switch w {
	case messages.NoWatermark:
		return "-"
	case messages.MaxWatermark:
		return "max"
	}
	return fmt.Sprint(w)
}

// twin recomputes the combined clock from all inputs at each step.
type twin struct {
	watermark []int64
	idle, lag []bool
	current   int64
	silent    bool // no input took part after the last step
}

func (w *twin) recompute() {
	least, greatest, active, ended := messages.MaxWatermark, messages.NoWatermark, false, true
	for i, at := range w.watermark {
		if w.lag[i] && at >= w.current {
			w.lag[i] = false
		}
		if at == messages.MaxWatermark {
			continue
		}
		ended, greatest = false, max(greatest, at)
		if active = active || !w.idle[i]; !w.idle[i] && !w.lag[i] {
			least = min(least, at)
		}
	}
	silent := !active && !ended
	switch {
	case active && least < messages.MaxWatermark, ended:
		w.current = max(w.current, least)
	case silent && !w.silent:
		w.current = max(w.current, greatest)
	}
	w.silent = silent
}

// S41: the combined watermark is the minimum over the inputs that take part,
// never goes back, and grows exactly when Advance or SetIdle says so. It ends when all
// inputs have, and not before: what an idle one still brings would be late.
func TestS41_TwinByRecomputing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 4).Draw(t, "inputs")
		m := NewMerge(n)
		w := &twin{watermark: make([]int64, n), idle: make([]bool, n), lag: make([]bool, n), current: messages.NoWatermark}
		for i := range w.watermark {
			w.watermark[i] = messages.NoWatermark
		}
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			i, before, grew := rapid.IntRange(0, n-1).Draw(t, "input"), m.Current(), false
			if rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
				idle := rapid.Bool().Draw(t, "idle")
				grew = m.SetIdle(i, idle)
				if w.idle[i] != idle {
					w.idle[i] = idle
					w.lag[i] = !idle && w.watermark[i] < w.current
					w.recompute()
				}
			} else {
				to := rapid.Int64Range(-20, 22).Draw(t, "watermark")
				if to > 20 {
					to = messages.MaxWatermark
				}
				grew = m.Advance(i, to)
				w.watermark[i] = max(w.watermark[i], to)
				w.recompute()
			}
			if m.Idle() != w.silent || m.Current() != w.current || grew != (m.Current() > before) || m.Current() < before {
				t.Fatalf("clock %d (was %d, grew %v), twin %d", m.Current(), before, grew, w.current)
			}
		}
	})
}
