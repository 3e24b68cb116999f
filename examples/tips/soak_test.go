package main

import (
	"io"
	"os"
	"testing"
	"time"
)

func TestMemoryJudge(t *testing.T) {
	const mib = 1 << 20
	flat, growing := make([]int64, 60), make([]int64, 60)
	for i := range flat {
		flat[i], growing[i] = 30*mib+int64(i%7)*mib, 30*mib+int64(i)*mib
	}
	for name, c := range map[string]struct {
		samples []int64
		ok      bool
	}{"flat": {flat, true}, "growing": {growing, false}, "too few": {flat[:2], false}} {
		samples := make(chan []int64, 1)
		samples <- c.samples
		if err := (&memory{samples}).judge(io.Discard); (err == nil) != c.ok {
			t.Errorf("%s memory: %v", name, err)
		}
	}
}

func TestResidentBytes(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Log("this system has no /proc; the soak says so, too")
		return
	}
	if bytes, err := residentBytes(os.Getpid()); err != nil || bytes < 1<<20 {
		t.Errorf("this process has %d bytes, %v", bytes, err)
	}
	if _, err := residentBytes(-1); err == nil {
		t.Error("a process that does not exist has memory")
	}
}

// A soak without enough kills is none.
func TestSoakNeedsKills(t *testing.T) {
	s := &soak{For: 10 * time.Minute}
	if s.enough(199) == nil || s.enough(200) != nil {
		t.Error("10 minutes need 200 kills")
	}
}
