package main

import (
	"strings"
	"testing"
)

// The demo checks itself.
func TestDemo(t *testing.T) {
	var out strings.Builder
	if err := demo(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "would 800, chuck 1000, woodchuck 800\n") {
		t.Errorf("it printed\n%s", out.String())
	}
}
