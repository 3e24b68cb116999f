package main

import (
	"cmp"
	"fmt"
	"io"
	"time"
)

// report says what came out, for people.
func report(w io.Writer, s *sorted) {
	fmt.Fprintf(w, "%d lines\n  %4d rides begin in the city\n  %4d begin elsewhere\n  %4d lines cannot be read\n",
		len(s.City)+len(s.Elsewhere)+len(s.Broken), len(s.City), len(s.Elsewhere), len(s.Broken))
	fmt.Fprintf(w, "\n%d rides leave the city\n", len(s.Leaving))
	for _, h := range byTime(s.Hours) {
		fmt.Fprintf(w, "  %s  %-5s %3d\n", time.UnixMilli(h.Start).UTC().Format("15:04"), h.Key, h.Value)
	}
	fmt.Fprintf(w, "\nThe lines that cannot be read\n")
	for _, b := range s.Broken {
		fmt.Fprintf(w, "  %4d  %-10s %s\n", b.Line, cmp.Or(b.Field, "-"), b.Text)
	}
}
