package operatortest

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// fake is a TB whose failure can be looked at.
type fake struct{ failure *string }

type stop struct{}

func (f fake) Helper() {}

func (f fake) Fatalf(format string, args ...any) {
	*f.failure = fmt.Sprintf(format, args...)
	panic(stop{}) // as runtime.Goexit, but here
}

// failureOf runs f with a fake test and gives the failure, or "".
func failureOf(f func(t TB)) (failure string) {
	defer func() {
		if r := recover(); r != nil && r != (stop{}) {
			panic(r)
		}
	}()
	f(fake{&failure})
	return failure
}

// mustFail demands a failure that says all of want.
func mustFail(t *testing.T, f func(t TB), want ...string) {
	t.Helper()
	failure := failureOf(f)
	if failure == "" {
		t.Fatal("the kit found nothing")
	}
	text := regexp.MustCompile(`[\s\p{Z}]+`).ReplaceAllString(failure, " ") // cmp indents, at times with no-break spaces
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("the failure does not say %q:\n%s", w, failure)
		}
	}
}

var errThree = errors.New("three is one too many")

func contains(text, part string) bool { return strings.Contains(text, part) }
