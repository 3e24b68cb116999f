package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// The host answers, the job's result is exact, and nothing is left behind: no
// goroutine, no handler at the default mux, no other default logger.
func TestEmbed(t *testing.T) {
	before := goleak.IgnoreCurrent()
	logger := slog.Default()
	var out bytes.Buffer
	if err := run(t.Context(), t.TempDir(), &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if !strings.Contains(out.String(), "restarted 3 times, and is FINISHED") {
		t.Errorf("the report is\n%s", &out)
	}
	goleak.VerifyNone(t, before)
	if slog.Default() != logger {
		t.Error("the default logger was changed")
	}
	if _, pattern := http.DefaultServeMux.Handler(httptest.NewRequest("GET", "/metrics", nil)); pattern != "" {
		t.Errorf("something serves %q on the default mux", pattern)
	}
}

// A check that cannot fail proves nothing.
func TestCheckResultsFindsFaults(t *testing.T) {
	if err := checkResults(t.TempDir()); err == nil {
		t.Error("an empty folder passed for exact results")
	}
}
