package main

import (
	"errors"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/files"
)

// outside is where the job reads trips and writes what it makes of them.
type outside interface {
	trips() operators.Source[*Trip]
	results() operators.Sink[row]
	late() operators.Sink[*Trip]
	// refresh reads what was committed since the last call.
	refresh(c *committed) error
}

// fileOutside is a work folder.
type fileOutside struct {
	folders workFolders
	seen    map[string]bool // files that refresh has read
}

func newFileOutside(w workFolders) *fileOutside { return &fileOutside{w, map[string]bool{}} }

func (f *fileOutside) trips() operators.Source[*Trip] {
	return files.Protobuf[*Trip](f.folders.trips())
}
func (f *fileOutside) results() operators.Sink[row] { return files.Sink[row](f.folders.results()) }

func (f *fileOutside) late() operators.Sink[*Trip] {
	return files.Sink[*Trip](f.folders.late(), files.AsProtobuf)
}

// refresh reads a file once: what is committed does not change.
func (f *fileOutside) refresh(c *committed) error {
	return errors.Join(f.each(f.folders.results(), c.readRows), f.each(f.folders.late(), c.readLate))
}
