package weir

import (
	"go/format"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A leftover is something that must not stay in the tree.
type leftover struct {
	what  *regexp.Regexp
	where func(name string) bool
	why   string
}

// The patterns are written so that they do not match themselves.
var leftovers = []leftover{
	{regexp.MustCompile(`(^|[^\w.~-])/(work|root|farm|home)[/]`), everywhere,
		"a path of one machine means nothing on another"},
	{regexp.MustCompile(`\b(TO[D]O|FIX[M]E|XX[X])\b|(?i)\bnot yet implement[e]d\b`), everywhere,
		"finish it, or say in the documentation what is not there"},
	{regexp.MustCompile(`\btime\.Sleep[(]`), inTests,
		"a test that sleeps is slow or flaky; step it, wait for an event, or use testing/synctest"},
}

func everywhere(string) bool   { return true }
func inTests(name string) bool { return strings.HasSuffix(name, "_test.go") }

func TestLeftovers(t *testing.T) {
	for name, text := range textFiles(t) {
		if strings.HasSuffix(name, ".pb.go") || name == "LICENSE" || name == "go.sum" {
			continue
		}
		for _, l := range leftovers {
			for i, line := range strings.Split(text, "\n") {
				if l.where(name) && l.what.MatchString(line) {
					t.Errorf("%s:%d: %q: %s", name, i+1, strings.TrimSpace(line), l.why)
				}
			}
		}
	}
}

func TestFormatted(t *testing.T) {
	for name, text := range textFiles(t) {
		if !strings.HasSuffix(name, ".go") {
			continue
		}
		switch formatted, err := format.Source([]byte(text)); {
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case string(formatted) != text:
			t.Errorf("%s is not as gofmt writes it; run gofmt -w %s", name, name)
		}
	}
}

// TestReadmeProgram: the program that README tells people to copy is the one
// that runs in the tests of examples/hello.
func TestReadmeProgram(t *testing.T) {
	files := textFiles(t)
	program := strings.TrimSpace(files["examples/hello/main.go"])
	_, program, _ = strings.Cut(program, "package main\n") // the package comment stays behind
	blocks := regexp.MustCompile("(?s)```go\npackage main\n(.*?)\n```").FindAllStringSubmatch(files["README.md"], -1)
	if program == "" || !slices.ContainsFunc(blocks, func(b []string) bool { return b[1] == program }) {
		t.Error("README.md must hold examples/hello/main.go, from its package clause on, as a block of Go")
	}
}
