package operators

// KeepCopies has sliding windows keep their records each for itself, as windows of a
// user's own assigner do: what the operator that shares them is compared with.
func KeepCopies[K comparable, T any](w *WindowedStream[K, T]) *WindowedStream[K, T] {
	c := *w
	c.sliding = nil
	return &c
}
