package files

import (
	"encoding/binary"
	"fmt"
	"reflect"

	"google.golang.org/protobuf/proto"
)

// protobufs is the format of Protobuf.
type protobufs[T any] struct{ config *sourceConfig }

func (*protobufs[T]) name() string { return "files.Protobuf" }

func (*protobufs[T]) validate() error {
	if _, ok := messageMaker[T](); !ok {
		return fmt.Errorf("%s is not the pointer of a generated protobuf message: give one such as *pb.Trip", reflect.TypeFor[T]())
	}
	return nil
}

func (f *protobufs[T]) newDecoder() decoder[T] {
	newMessage, _ := messageMaker[T]()
	return &protobufDecoder[T]{newMessage: newMessage, max: uint64(f.config.maxRecord)}
}

type protobufDecoder[T any] struct {
	newMessage func() T
	max        uint64
}

func (d *protobufDecoder[T]) frame(p []byte, until end) frame {
	size, n := binary.Uvarint(p)
	switch {
	case n < 0, n > 0 && size > d.max:
		return frame{fatal: &fatalError{fmt.Errorf("a length that is no length of a message up to %d bytes (%x): the file is damaged, not length-delimited protobuf, or needs a larger files.MaxRecord", d.max, p[:min(len(p), 10)])}}
	case n > 0 && uint64(len(p)-n) >= size:
		return frame{size: n + int(size), lines: 1}
	case until == ofFile && len(p) > 0:
		return frame{size: len(p), lines: 1, bad: "the file ends within a message"}
	}
	return frame{}
}

func (d *protobufDecoder[T]) decode(record []byte) (v T, skip bool, err error) {
	_, n := binary.Uvarint(record)
	v = d.newMessage()
	return v, false, proto.Unmarshal(record[n:], any(v).(proto.Message))
}
