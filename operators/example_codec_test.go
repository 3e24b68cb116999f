package operators_test

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirflow/weir/operators"
)

// A codec is chosen by type, and its name tells when the type has changed.
func ExampleCodecOf() {
	c, err := operators.CodecOf[Trip]()
	if err != nil {
		fmt.Println(err)
		return
	}
	p, _ := c.Append(nil, Trip{Zone: "Harlem", Tip: 250})
	v, _, _ := c.Decode(p)
	fmt.Println(c.Name())
	fmt.Println(v)

	_, err = operators.CodecOf[struct{ Done chan bool }]()
	fmt.Println(err)

	// Output:
	// cbor:operators_test.Trip{PickedUp int64, Tip int64, Zone string}
	// {Harlem 250 0}
	// struct { Done chan bool } cannot be encoded: struct { Done chan bool }.Done is a chan: leave it out
}

// Cents has a binary form of its own, which is then its codec's.
type Cents struct{ n int64 }

// MarshalBinary implements encoding.BinaryMarshaler.
func (c Cents) MarshalBinary() ([]byte, error) { return fmt.Append(nil, c.n), nil }

// UnmarshalBinary implements encoding.BinaryUnmarshaler.
func (c *Cents) UnmarshalBinary(p []byte) error {
	_, err := fmt.Sscan(string(p), &c.n)
	return err
}

// What each kind of type is written with.
func ExampleCodec() {
	fmt.Println(codecName[int64](), codecName[string](), codecName[[]byte](), codecName[[4]byte]())
	fmt.Println(codecName[time.Time]())
	fmt.Println(codecName[*wrapperspb.StringValue]())
	fmt.Println(codecName[Cents]())
	fmt.Println(codecName[map[string][]int64]())
	// Output:
	// int64 string bytes [4]byte
	// time
	// proto:google.protobuf.StringValue
	// binary:operators_test.Cents
	// cbor:map[string][]int64
}

func codecName[T any]() string {
	c, err := operators.CodecOf[T]()
	if err != nil {
		return err.Error()
	}
	return c.Name()
}

// Decode leaves what belongs to the next value.
func ExampleCodec_decode() {
	c, err := operators.CodecOf[string]()
	if err != nil {
		fmt.Println(err)
		return
	}
	p, _ := c.Append(nil, "Harlem")
	p, _ = c.Append(p, "Chelsea")
	for len(p) > 0 {
		var zone string
		if zone, p, err = c.Decode(p); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(zone)
	}
	// Output:
	// Harlem
	// Chelsea
}

// A type that cannot travel between nodes cannot be a record.
func ExampleRowTypeOf() {
	rows, err := operators.RowTypeOf[Trip]()
	fmt.Println(rows.Name(), err)

	_, err = operators.RowTypeOf[func()]()
	fmt.Println(err)
	// Output:
	// cbor:operators_test.Trip{PickedUp int64, Tip int64, Zone string} <nil>
	// func() cannot be encoded: func() is a func: leave it out
}
