package main

import (
	"fmt"
	"testing"
)

func TestParseCents(t *testing.T) {
	for text, want := range map[string]int64{
		"2.15": 215, "0.0": 0, "0": 0, "7": 700, "7.5": 750, "33.2": 3320, "-4.05": -405, "2.150": 215, "12.9500": 1295,
	} {
		if got, err := parseCents(text); err != nil || got != want {
			t.Errorf("parseCents(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-", ".5", "2.155", "1e3", "--1", "+1", "1.-5", "two", "1,5", "99999999999999999999"} {
		if got, err := parseCents(text); err == nil {
			t.Errorf("parseCents(%q) = %d; want an error", text, got)
		}
	}
}

// Every amount of cents comes back from its text, which no float64 does for all.
func TestParseCentsExact(t *testing.T) {
	for cents := int64(-12_345); cents <= 12_345; cents++ {
		sign, abs := "", cents
		if cents < 0 {
			sign, abs = "-", -cents
		}
		text := fmt.Sprintf("%s%d.%02d", sign, abs/100, abs%100)
		if got, err := parseCents(text); err != nil || got != cents {
			t.Fatalf("parseCents(%q) = %d, %v", text, got, err)
		}
	}
}
