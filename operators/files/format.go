package files

// format is one way to write records into a file.
type format[T any] interface {
	// name is that of the constructor, for errors: "files.CSV".
	name() string
	// validate finds what is wrong with T and the options, whatever the files.
	validate() error
	// newDecoder starts on a file.
	newDecoder() decoder[T]
}

// decoder finds and decodes the records of one file.
type decoder[T any] interface {
	// frame finds the record at the front of p, which goes to `until`.
	frame(p []byte, until end) frame
	// decode decodes a record that frame found. The value does not alias it.
	// skip says that the record is empty and stands for nothing. An error is
	// about this record alone, unless it is a *fatalError.
	decode(record []byte) (v T, skip bool, err error)
}

// headed is a decoder whose files begin with a header row.
type headed interface {
	hasHeader() bool
	// header takes the header row. Its error is fatal.
	header(record []byte) error
}

// end says why the bytes given to frame end where they do.
type end int

const (
	ofBuffer end = iota // more may follow
	ofFile              // nothing follows
	ofLimit             // a record may not be longer
)

// frame is the place of a record among bytes.
type frame struct {
	size  int    // with its terminator; 0: there is no whole record
	lines int64  // that it spans
	bad   string // not empty: these bytes are no record, and why
	fatal error  // where the next record begins cannot be known
}

// fieldError is a malformed field.
type fieldError struct{ field, reason string }

func (e *fieldError) Error() string { return e.reason }

// fatalError ends reading, side output or not: the program is wrong, not the record.
type fatalError struct{ err error }

func (e *fatalError) Error() string { return e.err.Error() }
func (e *fatalError) Unwrap() error { return e.err }
