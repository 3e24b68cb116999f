package operators

// Out takes what a function makes of one record. It is valid during that call
// only.
type Out[R any] struct {
	main  *emitter[R]
	sides sideOutputs
}

// Emit sends v to the main output, with the event time of the record being
// worked on.
func (o *Out[R]) Emit(v R) { o.main.emit(v, o.sides.time) }

// Time is the event time of the record being worked on, in ms, or NoTime.
func (o *Out[R]) Time() int64 { return o.sides.time }

func (o *Out[R]) sideOutputs() *sideOutputs { return &o.sides }

// mark passes a watermark to every output.
func (o *Out[R]) mark(watermark int64) {
	o.main.mark(watermark)
	o.sides.mark(watermark)
}

func (o *Out[R]) flush() error {
	if err := o.main.flush(); err != nil {
		return err
	}
	return o.sides.flush()
}

// failed tells why the instance cannot go on: an output failed, or a tag or a
// time was wrong.
func (o *Out[R]) failed() error {
	if o.main.err != nil {
		return o.main.err
	}
	return o.sides.err
}
