package main

import (
	"encoding/binary"
	"errors"

	"github.com/weirflow/weir/operators/kafka"
)

// tip is what a record of the input is about: 8 bytes of key, the user, and 100 bytes of
// value, user, amount and a filler.
type tip struct{ User, Amount int64 }

const (
	users     = 100_000
	valueSize = 100
)

// inputSeed begins the numbers of the input.
const inputSeed = 42

// numbers is splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators).
type numbers uint64

func (n *numbers) next() uint64 {
	*n += 0x9e3779b97f4a7c15
	return mix(uint64(*n))
}

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// tip gives the next one of the input.
func (n *numbers) tip() tip {
	return tip{int64(n.next() % users), 1 + int64(n.next()%1_000_000)}
}

var filler [valueSize - 16]byte

// appendTip appends 16 bytes.
func appendTip(buf []byte, t tip) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(buf, uint64(t.User)), uint64(t.Amount))
}

// appendLong appends valueSize bytes.
func appendLong(buf []byte, t tip) []byte { return append(appendTip(buf, t), filler[:]...) }

var errShort = errors.New("a record's value is shorter than 16 bytes")

func tipOf(value []byte) (tip, error) {
	if len(value) < 16 {
		return tip{}, errShort
	}
	return tip{int64(binary.LittleEndian.Uint64(value)), int64(binary.LittleEndian.Uint64(value[8:]))}, nil
}

func decode(r *kafka.Record) (tip, error) { return tipOf(r.Value) }

func encodeLong(m *kafka.Message, t tip) error {
	m.ValueBuffer = appendLong(m.ValueBuffer, t)
	m.Value, m.Key = m.ValueBuffer, m.ValueBuffer[:8]
	return nil
}

func encodeShort(m *kafka.Message, t tip) error {
	m.ValueBuffer = appendTip(m.ValueBuffer, t)
	m.Value, m.Key = m.ValueBuffer, m.ValueBuffer[:8]
	return nil
}

// passed is what becomes of a record that passes through.
func passed(t tip) tip { return tip{t.User, t.Amount * 908 / 1000} }

func addTips(a, b tip) tip { return tip{a.User, a.Amount + b.Amount} }

// digest tells sets of records apart, in whatever order they come.
type digest struct {
	Records int64
	Hash    uint64
}

func (d *digest) add(t tip) {
	d.Records++
	d.Hash += mix(uint64(t.User)<<44 ^ uint64(t.Amount))
}

// wanted is what a work gives for n records of the input, by a straight-line program.
func wanted(n int64, result func(tip) tip) (d digest) {
	in := numbers(inputSeed)
	for range n {
		d.add(result(in.tip()))
	}
	return d
}

func same(t tip) tip { return t }

// summing gives running sums by user.
func summing() func(tip) tip {
	sums := make([]int64, users)
	return func(t tip) tip {
		sums[t.User] += t.Amount
		return tip{t.User, sums[t.User]}
	}
}
