package operators

import "fmt"

// Either is a record of one of two streams.
type Either[A, B any] struct {
	a      A
	b      B
	second bool // it is b; the other one is zero
}

// FirstOf makes an Either of a record of the first stream.
func FirstOf[A, B any](a A) Either[A, B] { return Either[A, B]{a: a} }

// SecondOf makes an Either of a record of the second stream.
func SecondOf[A, B any](b B) Either[A, B] { return Either[A, B]{b: b, second: true} }

// First gives the record, if it is one of the first stream.
func (e Either[A, B]) First() (a A, ok bool) { return e.a, !e.second }

// Second gives the record, if it is one of the second stream.
func (e Either[A, B]) Second() (b B, ok bool) { return e.b, e.second }

// String shows the record as it is.
func (e Either[A, B]) String() string {
	if e.second {
		return fmt.Sprint(e.b)
	}
	return fmt.Sprint(e.a)
}

// MarshalBinary writes the side and the record, by the record's codec.
func (e Either[A, B]) MarshalBinary() ([]byte, error) {
	c, err := eitherCodecOf[A, B]()
	if err != nil {
		return nil, err
	}
	return c.Append(nil, e)
}

// UnmarshalBinary reads what MarshalBinary wrote.
func (e *Either[A, B]) UnmarshalBinary(p []byte) error {
	c, err := eitherCodecOf[A, B]()
	if err != nil {
		return err
	}
	v, rest, err := c.Decode(p)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("decoding %s: %d bytes too many", c.Name(), len(rest))
	}
	*e = v
	return err
}

// eitherCodec writes a byte for the side, 0 or 1, and the record.
type eitherCodec[A, B any] struct {
	a Codec[A]
	b Codec[B]
}

func eitherCodecOf[A, B any]() (c eitherCodec[A, B], err error) {
	if c.a, err = CodecOf[A](); err != nil {
		return c, fmt.Errorf("a window keeps the records of its first stream: %w", err)
	}
	if c.b, err = CodecOf[B](); err != nil {
		return c, fmt.Errorf("a window keeps the records of its second stream: %w", err)
	}
	return c, nil
}

func (c eitherCodec[A, B]) Name() string { return "either " + c.a.Name() + " or " + c.b.Name() }

func (c eitherCodec[A, B]) Append(buf []byte, e Either[A, B]) ([]byte, error) {
	if e.second {
		return c.b.Append(append(buf, 1), e.b)
	}
	return c.a.Append(append(buf, 0), e.a)
}

func (c eitherCodec[A, B]) Decode(p []byte) (e Either[A, B], rest []byte, err error) {
	switch {
	case len(p) == 0:
		return e, p, short(c.Name(), 1, 0)
	case p[0] > 1:
		return e, p, fmt.Errorf("decoding %s: byte %d is neither 0 nor 1", c.Name(), p[0])
	case p[0] == 1:
		e.second = true
		e.b, rest, err = c.b.Decode(p[1:])
	default:
		e.a, rest, err = c.a.Decode(p[1:])
	}
	return e, rest, err
}
