package main

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// pages are what people look at, the last one rarely.
var pages = []string{"/", "/prices", "/docs", "/blog", "/about", "/jobs"}

// writeLogs writes five minutes of the logs of two servers: the second began a
// minute and a half later. It gives all views.
func writeLogs(folder string) ([]View, error) {
	noon := time.Date(2019, 3, 23, 12, 0, 0, 0, time.UTC).UnixMilli()
	first, second := views(noon, 1500, 1), views(noon+90_000, 900, 2)
	err := errors.Join(
		writeLog(filepath.Join(folder, "server-1.log"), first),
		writeLog(filepath.Join(folder, "server-2.log"), second))
	return slices.Concat(first, second), err
}

// views makes n views of one server in their order: the same wherever it runs.
func views(from int64, n int, seed uint64) []View {
	dice := rand.NewPCG(seed, 0)
	below := func(n int) int { return int(dice.Uint64() % uint64(n)) }
	all := make([]View, n)
	for i := range all {
		from += int64(below(400))
		all[i] = View{Ms: from, Page: pages[min(below(8), below(5))]}
		if below(300) == 0 {
			all[i].Page = pages[len(pages)-1]
		}
	}
	return all
}

func writeLog(path string, views []View) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	lines := json.NewEncoder(f)
	for _, v := range views {
		if err := lines.Encode(v); err != nil {
			return err
		}
	}
	return nil
}
