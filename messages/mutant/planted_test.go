package mutant_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	inCode  = regexp.MustCompile(`mutant\.On\("([a-z-]+)"\)`)
	inTable = regexp.MustCompile(`(?m)^\t\{"([a-z-]+)", "`)
)

// Every bug that is planted in the code is in one of the tables of make mutants,
// and the other way round.
func TestEveryPlantedBugIsLookedFor(t *testing.T) {
	planted, wanted := map[string]string{}, map[string]string{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || filepath.Dir(path) == "../../messages/mutant" {
			return err
		}
		b, err := os.ReadFile(path)
		switch {
		case err != nil:
			return err
		case filepath.Base(path) == "mutants_test.go":
			names(t, inTable, b, path, wanted)
		case !strings.HasSuffix(path, "_test.go"):
			maps.Copy(planted, names(t, inCode, b, path, map[string]string{}))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, path := range planted {
		if wanted[name] == "" {
			t.Errorf("%s plants %q, which no mutants_test.go looks for", path, name)
		}
	}
	for name, path := range wanted {
		if planted[name] == "" {
			t.Errorf("%s looks for %q, which nothing plants", path, name)
		}
	}
	if len(planted) == 0 || len(wanted) == 0 {
		t.Errorf("%d planted and %d looked for: the patterns of this test find nothing", len(planted), len(wanted))
	}
}

// names adds the names that a pattern finds, each with its file. In a table none
// is there twice.
func names(t *testing.T, pattern *regexp.Regexp, text []byte, path string, to map[string]string) map[string]string {
	for _, m := range pattern.FindAllSubmatch(text, -1) {
		name := string(m[1])
		if pattern == inTable && to[name] != "" {
			t.Errorf("%s and %s both look for %q", to[name], path, name)
		}
		to[name] = path
	}
	return to
}
