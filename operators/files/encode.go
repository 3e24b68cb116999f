package files

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Format is how a sink writes records.
type Format int

// The formats that the source reads, too.
const (
	// AsJSONLines writes one JSON value a line, by encoding/json, or by
	// protojson for protobuf messages.
	AsJSONLines Format = iota
	// AsCSV writes a header row and a row a record. Columns are as files.CSV
	// reads them: the fields of the struct, those of a nested one as
	// "outer.inner", named by csv tags or else in lower case. A nil pointer is
	// an empty column. A type that is no struct is the column "value".
	AsCSV
	// AsProtobuf writes each message behind its length as a varint.
	AsProtobuf
)

func (f Format) apply(c *sinkConfig) { c.format, c.custom = f, nil }

// AsFunc writes records by a function that appends one to buf, line end
// included. extension ends the files' names, without its dot.
func AsFunc[T any](extension string, encode func(buf []byte, v T) ([]byte, error)) SinkOption {
	return sinkOption(func(c *sinkConfig) { c.custom = funcEncoder[T]{extension, encode} })
}

// encoder writes records of one subtask.
type encoder[T any] interface {
	extension() string
	// header appends what a file begins with.
	header(buf []byte) []byte
	// encode appends a record. After an error it gives any slice.
	encode(buf []byte, v T) ([]byte, error)
}

func newEncoder[T any](c *sinkConfig) (encoder[T], error) {
	_, message := messageMaker[T]()
	switch {
	case c.custom != nil:
		e, ok := c.custom.(funcEncoder[T])
		if !ok {
			return nil, fmt.Errorf("option files.AsFunc: its function does not take %s", reflect.TypeFor[T]())
		}
		return e, e.validate()
	case c.format == AsCSV:
		return newStructEncoder[T]()
	case c.format == AsProtobuf && !message:
		return nil, fmt.Errorf("option files.AsProtobuf: %s is not the pointer of a generated protobuf message: use files.AsJSONLines or files.AsCSV", reflect.TypeFor[T]())
	case c.format == AsProtobuf:
		return protobufEncoder[T]{}, nil
	case c.format == AsJSONLines && message:
		return &protojsonEncoder[T]{}, nil
	case c.format == AsJSONLines:
		return newJSONEncoder[T](), nil
	}
	return nil, fmt.Errorf("option files.Format(%d): there are AsJSONLines, AsCSV and AsProtobuf", c.format)
}

type funcEncoder[T any] struct {
	ext      string
	function func(buf []byte, v T) ([]byte, error)
}

func (e funcEncoder[T]) validate() error {
	if e.function == nil {
		return fmt.Errorf("option files.AsFunc: the function is nil")
	}
	if e.ext == "" || strings.ContainsFunc(e.ext, func(r rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789_.", r) }) {
		return fmt.Errorf("option files.AsFunc: extension %q: give lower-case letters and digits, such as \"txt\"", e.ext)
	}
	return nil
}

func (e funcEncoder[T]) extension() string                      { return e.ext }
func (e funcEncoder[T]) header(buf []byte) []byte               { return buf }
func (e funcEncoder[T]) encode(buf []byte, v T) ([]byte, error) { return e.function(buf, v) }

// jsonEncoder has json write straight into the buffer.
type jsonEncoder[T any] struct {
	out *appender
	enc *json.Encoder
}

type appender struct{ buf []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.buf = append(a.buf, p...)
	return len(p), nil
}

func newJSONEncoder[T any]() *jsonEncoder[T] {
	e := &jsonEncoder[T]{out: &appender{}}
	e.enc = json.NewEncoder(e.out)
	e.enc.SetEscapeHTML(false)
	return e
}

func (e *jsonEncoder[T]) extension() string        { return "jsonl" }
func (e *jsonEncoder[T]) header(buf []byte) []byte { return buf }

func (e *jsonEncoder[T]) encode(buf []byte, v T) ([]byte, error) {
	e.out.buf = buf
	err := e.enc.Encode(v)
	return e.out.buf, err
}

// protojsonEncoder compacts what protojson writes, which on purpose puts
// spaces in different places in different programs.
type protojsonEncoder[T any] struct {
	loose []byte
	tight bytes.Buffer
}

func (e *protojsonEncoder[T]) extension() string        { return "jsonl" }
func (e *protojsonEncoder[T]) header(buf []byte) []byte { return buf }

func (e *protojsonEncoder[T]) encode(buf []byte, v T) (_ []byte, err error) {
	if e.loose, err = (protojson.MarshalOptions{}).MarshalAppend(e.loose[:0], any(v).(proto.Message)); err != nil {
		return buf, err
	}
	e.tight.Reset()
	if err := json.Compact(&e.tight, e.loose); err != nil {
		return buf, err
	}
	return append(append(buf, e.tight.Bytes()...), '\n'), nil
}

// protobufEncoder writes maps in a fixed order, so that equal records are
// equal bytes.
type protobufEncoder[T any] struct{}

func (protobufEncoder[T]) extension() string        { return "pb" }
func (protobufEncoder[T]) header(buf []byte) []byte { return buf }

func (protobufEncoder[T]) encode(buf []byte, v T) ([]byte, error) {
	m := any(v).(proto.Message)
	buf = binary.AppendUvarint(buf, uint64(proto.Size(m)))
	return proto.MarshalOptions{Deterministic: true, UseCachedSize: true}.MarshalAppend(buf, m)
}
