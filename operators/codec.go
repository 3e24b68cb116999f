package operators

// Codec turns values of type T into bytes and back. CodecOf chooses one by type.
// Implementations are stateless and safe for concurrent use.
type Codec[T any] interface {
	// Name identifies codec and type in schemas: "int64", "string",
	// "proto:weir.Trip", "cbor:main.Trip{...}".
	Name() string
	// Append appends the encoding of v to buf. Encodings are self-delimiting
	// within Decode's p: the codec finds its own end.
	Append(buf []byte, v T) ([]byte, error)
	// Decode reads one value from the front of p and gives what is left. The
	// value does not alias p.
	Decode(p []byte) (v T, rest []byte, err error)
}
