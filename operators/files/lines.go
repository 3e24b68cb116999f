package files

import "bytes"

// textLines is the format of Lines.
type textLines struct{}

func (textLines) name() string                  { return "files.Lines" }
func (textLines) validate() error               { return nil }
func (f textLines) newDecoder() decoder[string] { return f }

func (textLines) frame(p []byte, until end) frame { return frameLine(p, until) }

func (textLines) decode(line []byte) (string, bool, error) {
	return string(trimLineEnd(line)), false, nil
}

// frameLine finds the line at the front of p.
func frameLine(p []byte, until end) frame {
	if n := bytes.IndexByte(p, '\n'); n >= 0 {
		return frame{size: n + 1, lines: 1}
	}
	if until == ofFile && len(p) > 0 {
		return frame{size: len(p), lines: 1}
	}
	return frame{}
}

// trimLineEnd cuts \n or \r\n.
func trimLineEnd(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line
}

var byteOrderMark = []byte("\xef\xbb\xbf")
