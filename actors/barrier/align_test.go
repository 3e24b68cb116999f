package barrier

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
)

// The scripts hold S98, S99's blocking half, S100 and S101: see their comments.
// A line of output draws the channels: '|' is a channel whose barrier came in
// and that waits, '!' one whose barrier came in and that goes on, '.' one that
// flows.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		if filepath.Ext(path) != ".txt" {
			return // what rapid leaves of a failure
		}
		var a *Aligner
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "new" {
				a = NewAligner(modeArg(d), intArg(t, d, "channels"), messages.CheckpointID(intArg(t, d, "done")))
				return draw(a) + "\n"
			}
			var b strings.Builder
			for _, line := range strings.Split(strings.TrimSpace(d.Input), "\n") {
				fmt.Fprintf(&b, "%-12s %s\n", line, step(a, line))
			}
			return b.String()
		})
	})
}

func modeArg(d *datadriven.TestData) Mode {
	if d.HasArg("at-least-once") {
		return AtLeastOnce
	}
	return ExactlyOnce
}

func intArg(t *testing.T, d *datadriven.TestData, name string) int {
	n := 0
	d.MaybeScanArgs(t, name, &n)
	return n
}

func step(a *Aligner, line string) string {
	var channel int
	var n uint64
	var out Outcome
	if _, err := fmt.Sscanf(line, "%d: %d", &channel, &n); err == nil {
		out = a.OnBarrier(channel, messages.CheckpointID(n))
	} else if _, err := fmt.Sscanf(line, "abort %d", &n); err == nil {
		out = a.OnAborted(messages.CheckpointID(n))
	} else {
		return "what is " + line + "?"
	}
	s := draw(a)
	if out.GaveUp != 0 {
		s += fmt.Sprintf(" gave up %d", out.GaveUp)
	}
	if out.Complete != 0 {
		s += fmt.Sprintf(" complete %d", out.Complete)
	}
	if out.Unblocked {
		s += " unblocked"
	}
	return s
}

func draw(a *Aligner) string {
	b := make([]byte, len(a.has))
	for i := range b {
		switch {
		case a.Blocked(i):
			b[i] = '|'
		case a.has[i]:
			b[i] = '!'
		default:
			b[i] = '.'
		}
	}
	return string(b)
}

// S98, S99: over any interleaving of channels that carry rising barriers, with
// aborts at any time, each checkpoint completes at most once, in rising order,
// only after its barrier came in on every channel, and nothing that came behind
// barrier n on any channel was let through before n completed.
func TestS98_AnyInterleaving(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		channels := rapid.IntRange(1, 4).Draw(t, "channels")
		a := NewAligner(ExactlyOnce, channels, 0)
		sent := make([]messages.CheckpointID, channels) // last barrier let through, by channel
		last := messages.CheckpointID(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			c := rapid.IntRange(0, channels-1).Draw(t, "channel")
			if rapid.IntRange(0, 9).Draw(t, "abort") == 0 {
				a.OnAborted(messages.CheckpointID(rapid.IntRange(0, 12).Draw(t, "n")))
				continue
			}
			if a.Blocked(c) {
				continue // it waits in its channel
			}
			sent[c] += messages.CheckpointID(rapid.IntRange(1, 2).Draw(t, "skip"))
			out := a.OnBarrier(c, sent[c])
			if out.Complete == 0 {
				continue
			}
			if out.Complete <= last {
				t.Fatalf("checkpoint %d completed after %d", out.Complete, last)
			}
			last = out.Complete
			for i, n := range sent {
				if n != out.Complete {
					t.Fatalf("checkpoint %d completed while channel %d was at barrier %d", out.Complete, i, n)
				}
			}
		}
	})
}
