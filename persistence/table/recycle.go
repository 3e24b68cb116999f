package table

// Recycle removes all entries, as Clear does, but keeps the room that they had:
// for a table that fills again and again with about as much, such as that of
// one window after the other, which then neither grows nor splits. A table with
// room for far more than it held is cleared instead.
//
// What is kept depends on what was in the table alone, not on which frozen
// tables are still in use, so that the order of iteration never does either.
func (t *Table[K, V]) Recycle() {
	if t.track || thin(t) {
		t.Clear()
		return
	}
	for i, dir := 0, t.dir; i < len(dir); {
		s := dir[i]
		if s.epoch != t.epoch && visible(t, s.epoch) {
			empty := &segment[K, V]{slots: make([]entry[K, V], len(s.slots)), epoch: t.epoch, depth: s.depth}
			place(t, uint64(i)<<t.shift, empty)
		} else {
			clear(s.slots)
			s.n, s.epoch = 0, t.epoch
		}
		i += 1 << (depthOf(&t.view) - s.depth)
	}
	t.n = 0
}

// thin tells whether fewer than one slot in eight is in use.
func thin[K comparable, V any](t *Table[K, V]) bool {
	slots := 0
	segments(t.view, func(s *segment[K, V]) bool {
		slots += len(s.slots)
		return true
	})
	return 8*t.n < slots
}
