package window

// Session gives the window of one record: as long as the gap, in ms, which is
// positive. Sessions are what records make whose windows touch.
func Session(ts, gap int64) Window { return Window{Start: ts, End: ts + gap} }

// Touches tells whether two windows overlap or lie end to end: two records that
// are exactly the gap apart share a session.
func (w Window) Touches(o Window) bool { return w.Start <= o.End && o.Start <= w.End }

// Cover is the smallest window that holds both.
func (w Window) Cover(o Window) Window {
	return Window{Start: min(w.Start, o.Start), End: max(w.End, o.End)}
}

// Merge puts w among windows that do not touch each other, sorted by Start, and
// merges it with those that it touches. It gives the one window that comes of
// it, those that went into it, in order, and the new set. The set it was given
// is left alone.
func Merge(set []Window, w Window) (merged Window, absorbed, rest []Window) {
	merged = w
	placed := false
	for _, o := range set {
		switch {
		case o.Touches(w):
			merged = merged.Cover(o)
			absorbed = append(absorbed, o)
		case o.Start > w.Start && !placed:
			placed = true
			rest = append(rest, merged, o)
		default:
			rest = append(rest, o)
		}
	}
	if !placed {
		rest = append(rest, merged)
	}
	return merged, absorbed, rest
}
