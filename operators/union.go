package operators

// Union is all records of several streams, those of one stream in their order.
// It is no operator: whoever reads the union has several inputs, and its
// watermark is the smallest of theirs.
func Union[T any](first *Stream[T], others ...*Stream[T]) *Stream[T] {
	u := &Stream[T]{top: first.top, legs: append([]leg(nil), first.legs...)}
	for _, s := range others {
		if s.top != u.top {
			u.top.failf(first.legs[0].from, "it is united with %q of topology %q; take all streams from one topology",
				s.legs[0].from.Name, s.top.name)
			continue
		}
		u.legs = append(u.legs, s.legs...)
	}
	return u
}
