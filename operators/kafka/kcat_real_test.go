//go:build kafka

package kafka_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/weirflow/weir/operators"
)

// S8: a reader with nothing of ours in it, kcat, sees what is committed, each once, and
// nothing of what was aborted or is open.
func testKcatAgrees(t *testing.T) {
	kcat, err := exec.LookPath("kcat")
	if err != nil {
		t.Fatalf("kcat, which reads as an outside program, is not in PATH: install it (Debian: apt-get install kcat; macOS: brew install kcat): %v", err)
	}
	s := newStand(t, 3, []string{"out"})
	p := s.process(s.sink(), 1, 0, 1).recover(operators.Recovery{})
	want := numbers("committed ", 300)
	s.must(p.write(want[:100]...).w.Commit(t.Context(), p.prepare()))
	s.must(p.write(numbers("aborted ", 50)...).w.AbortOpen(t.Context()))
	s.must(p.w.Begin(t.Context()))
	s.must(p.write(want[100:]...).w.Commit(t.Context(), p.prepare()))
	p.write(numbers("open ", 50)...).prepare()
	slices.Sort(want)
	expect(t, "ours", s.visible(), want...)
	out, err := exec.CommandContext(t.Context(), kcat, "-b", s.cluster.Brokers[0], "-C", "-t", "out", "-o", "beginning", "-e", "-q",
		"-X", "isolation.level=read_committed", "-f", `%s\n`).Output()
	s.must(err)
	got := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	slices.Sort(got)
	expect(t, "kcat's", got, want...)
}
