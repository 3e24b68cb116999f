package files

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// checkGlob finds what can be wrong with a glob whatever the folder holds.
func checkGlob(glob string) error {
	switch {
	case glob == "":
		return fmt.Errorf("the glob is empty: give a path such as data/*.csv")
	case strings.Contains(glob, "**"):
		return fmt.Errorf("glob %q: ** does not descend into folders; name each level, as in data/*/*.csv", glob)
	}
	if _, err := filepath.Match(glob, ""); err != nil {
		return fmt.Errorf("glob %q: %w; write \\[ for a bracket that is part of a name", glob, err)
	}
	return nil
}

// matches lists the files that a glob means now, cleaned, sorted and unique.
func matches(glob string) ([]string, error) {
	found, err := filepath.Glob(glob)
	if err != nil {
		return nil, fmt.Errorf("glob %q: %w", glob, err)
	}
	hidden := strings.HasPrefix(filepath.Base(glob), ".")
	var paths []string
	for _, path := range found {
		info, err := os.Stat(path)
		switch {
		case os.IsNotExist(err): // deleted since, or a link to nowhere
			continue
		case err != nil:
			return nil, fmt.Errorf("%w; the source must be able to read every file that %q matches", err, glob)
		case info.IsDir(), !hidden && strings.HasPrefix(filepath.Base(path), "."):
			continue
		}
		paths = append(paths, filepath.Clean(path))
	}
	slices.Sort(paths)
	return slices.Compact(paths), nil
}

// nothingMatches explains a glob without files.
func nothingMatches(glob string) error {
	if info, err := os.Stat(glob); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder: give a glob such as %s", glob, filepath.Join(glob, "*"))
	}
	if !strings.ContainsAny(glob, `*?[\`) {
		return fmt.Errorf("file %s does not exist: correct the path, or use files.Watch to wait for it", glob)
	}
	return fmt.Errorf("no file matches %s: correct the path, or use files.Watch to wait for one", glob)
}
