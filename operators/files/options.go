package files

import (
	"fmt"
	"time"
	"unicode/utf8"
)

// Defaults and bounds of the reading side.
const (
	// DefaultMaxRecord bounds one record unless MaxRecord says otherwise.
	DefaultMaxRecord = 16 << 20
	// readBuffer is what a reader asks of a file at once.
	readBuffer = 256 << 10
	// readBytes ends a batch early, so that long records make short batches.
	readBytes = 4 << 20
)

// SourceOption changes how a source reads.
type SourceOption func(*sourceConfig)

type sourceConfig struct {
	watch     time.Duration // > 0: unbounded, look for files and growth so often
	watched   bool
	whole     bool
	strict    bool
	comma     rune
	columns   []string // of a file without a header row
	maxRecord int
	malformed string // tag of the side output, "" fails instead
}

func newSourceConfig(options []SourceOption) sourceConfig {
	c := sourceConfig{comma: ',', maxRecord: DefaultMaxRecord}
	for _, o := range options {
		if o != nil {
			o(&c)
		}
	}
	return c
}

func (c *sourceConfig) validate() error {
	switch {
	case c.watched && c.watch <= 0:
		return fmt.Errorf("option files.Watch(%v): must be positive, e.g. files.Watch(time.Second)", c.watch)
	case c.whole && !c.watched:
		return fmt.Errorf("option files.Whole: has a meaning only together with files.Watch")
	case c.maxRecord <= 0:
		return fmt.Errorf("option files.MaxRecord(%d): must be positive", c.maxRecord)
	case c.comma >= utf8.RuneSelf || c.comma == '"' || c.comma == '\n' || c.comma == '\r' || c.comma <= 0:
		return fmt.Errorf("option files.Comma(%q): must be one ASCII character, not a quote or a line end", c.comma)
	}
	return nil
}

// growing tells whether a file may get longer while it is read.
func (c *sourceConfig) growing(path string) bool {
	return c.watched && !c.whole && compressionOf(path) == plain
}

// Watch makes the source unbounded: every so often it looks for new files, and
// for new lines at the end of the plain ones it knows.
func Watch(every time.Duration) SourceOption {
	return func(c *sourceConfig) { c.watch, c.watched = every, true }
}

// Whole says that watched files appear complete, so that each ends at its end
// instead of being waited upon for more.
func Whole() SourceOption { return func(c *sourceConfig) { c.whole = true } }

// Strict refuses what T does not ask for: CSV columns and JSON members without
// a field. They are ignored otherwise.
func Strict() SourceOption { return func(c *sourceConfig) { c.strict = true } }

// Comma separates the fields of a CSV file, e.g. ';' or '\t'.
func Comma(r rune) SourceOption { return func(c *sourceConfig) { c.comma = r } }

// Columns names the columns of CSV files that have no header row.
func Columns(names ...string) SourceOption {
	return func(c *sourceConfig) { c.columns = names }
}

// MaxRecord bounds the size of one record in bytes; DefaultMaxRecord without
// it. A longer one is an error.
func MaxRecord(bytes int) SourceOption { return func(c *sourceConfig) { c.maxRecord = bytes } }
