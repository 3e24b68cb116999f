package files

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// jsonLines is the format of JSONLines.
type jsonLines[T any] struct{ config *sourceConfig }

func (*jsonLines[T]) name() string { return "files.JSONLines" }

func (*jsonLines[T]) validate() error { return nil }

func (f *jsonLines[T]) newDecoder() decoder[T] {
	d := &jsonDecoder[T]{strict: f.config.strict}
	d.newMessage, _ = messageMaker[T]()
	return d
}

type jsonDecoder[T any] struct {
	strict     bool
	newMessage func() T // not nil: T is a protobuf message
}

func (*jsonDecoder[T]) frame(p []byte, until end) frame { return frameLine(p, until) }

func (d *jsonDecoder[T]) decode(line []byte) (v T, skip bool, err error) {
	line = bytes.TrimSpace(bytes.TrimPrefix(line, byteOrderMark))
	switch {
	case len(line) == 0:
		return v, true, nil
	case d.newMessage != nil:
		v = d.newMessage()
		err = protojson.UnmarshalOptions{DiscardUnknown: !d.strict}.Unmarshal(line, any(v).(proto.Message))
	case d.strict:
		err = unmarshalStrict(line, &v)
	default:
		err = json.Unmarshal(line, &v)
	}
	return v, false, asFieldError(err)
}

// unmarshalStrict is json.Unmarshal that refuses unknown members.
func unmarshalStrict(line []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("something follows the JSON value")
	}
	return nil
}

// asFieldError keeps the field that encoding/json found at fault.
func asFieldError(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return &fieldError{field: wrong.Field, reason: fmt.Sprintf("JSON %s is no %s", wrong.Value, wrong.Type)}
	}
	return err
}

// messageMaker makes empty messages when T is a generated message's pointer.
func messageMaker[T any]() (func() T, bool) {
	var zero T
	m, ok := any(zero).(proto.Message)
	if !ok {
		return nil, false
	}
	kind := m.ProtoReflect().Type()
	return func() T { return kind.New().Interface().(T) }, true
}
