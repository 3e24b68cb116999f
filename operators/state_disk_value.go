package operators

// diskValue is a ValueState on disk: what Get gives is the caller's own.
type diskValue[K comparable, V any] struct {
	*diskState[K]
	codec Codec[V]
}

func newDiskValue[K comparable, V any](d *diskState[K], codec Codec[V]) diskValue[K, V] {
	plainEntry(d, codec)
	return diskValue[K, V]{d, codec}
}

func (s *diskValue[K, V]) Get() (v V, ok bool) {
	p, ok := s.get(s.value[:0], s.at())
	if s.value = p; !ok {
		return v, false
	}
	v, _, err := s.codec.Decode(p)
	s.must("decoding", err)
	return v, true
}

func (s *diskValue[K, V]) Set(v V) {
	p, err := s.codec.Append(s.value[:0], v)
	s.must("encoding", err)
	s.value = p
	s.put(s.at(), p)
}

func (s *diskValue[K, V]) Clear() { s.remove(s.at()) }

// diskReducing is a ReducingState on disk.
type diskReducing[K comparable, V any] struct {
	diskValue[K, V]
	reduce func(a, b V) V
}

func (s *diskReducing[K, V]) Add(v V) {
	if was, ok := s.Get(); ok {
		v = s.reduce(was, v)
	}
	s.Set(v)
}

// diskAggregating is an AggregatingState on disk.
type diskAggregating[K comparable, In, Acc, Out any] struct {
	diskValue[K, Acc]
	agg Aggregator[In, Acc, Out]
}

func (s *diskAggregating[K, In, Acc, Out]) Get() (result Out, ok bool) {
	acc, ok := s.diskValue.Get()
	if ok {
		result = s.agg.Result(acc)
	}
	return result, ok
}

func (s *diskAggregating[K, In, Acc, Out]) Add(v In) {
	acc, ok := s.diskValue.Get()
	if !ok {
		acc = s.agg.CreateAccumulator()
	}
	s.Set(s.agg.Add(acc, v))
}
