package files

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/weirflow/weir/operators"
)

// folder is a sink's folder as one subtask of one attempt sees it: what can be
// done with prepared files, which any process can do.
type folder struct {
	disk *disk
	dir  string
	who  operators.SinkContext
}

// handleFormat is the version of handle.
const handleFormat = 1

// handle is a prepared transaction as the checkpoint keeps it, in JSON. Paths
// are relative to the sink's folder, so that it may be moved.
type handle struct {
	Format int            `json:"format"`
	Files  []preparedFile `json:"files"`
}

type preparedFile struct {
	Temp  string `json:"temp"`
	Final string `json:"final"`
	Bytes int64  `json:"bytes"`
}

func encodeHandle(files []preparedFile) ([]byte, error) {
	return json.Marshal(handle{Format: handleFormat, Files: files})
}

func decodeHandle(p []byte) ([]preparedFile, error) {
	if len(p) == 0 { // a transaction without a record
		return nil, nil
	}
	var h handle
	if err := json.Unmarshal(p, &h); err != nil {
		return nil, fmt.Errorf("handle %q: %w", clip(p), err)
	}
	if h.Format != handleFormat {
		return nil, fmt.Errorf("handle is of format %d, this program knows %d: run the version that wrote it", h.Format, handleFormat)
	}
	for _, f := range h.Files {
		if !filepath.IsLocal(f.Temp) || !filepath.IsLocal(f.Final) {
			return nil, fmt.Errorf("handle %q: a path leaves the sink's folder", clip(p))
		}
	}
	return h.Files, nil
}

// Commit renames a transaction's files and makes the new names durable. All
// that can be committed is, whatever befell the others; then what failed and
// may succeed later is told, and only otherwise what is in doubt.
func (f *folder) Commit(ctx context.Context, handle []byte) error {
	files, err := decodeHandle(handle)
	if err != nil || len(files) == 0 {
		return f.wrap("Commit", err)
	}
	var failed, doubtful error
	for _, file := range files {
		err := f.commitFile(file)
		if errors.Is(err, operators.ErrInDoubt) {
			doubtful = errors.Join(doubtful, err)
		} else {
			failed = errors.Join(failed, err)
		}
	}
	if err := f.disk.syncDir(f.dir); err != nil {
		failed = errors.Join(failed, explain(err))
	}
	if failed == nil {
		failed = doubtful
	}
	return f.wrap("Commit", failed)
}

// commitFile renames one file, or finds that this was done before.
func (f *folder) commitFile(file preparedFile) error {
	temp, final := filepath.Join(f.dir, file.Temp), filepath.Join(f.dir, file.Final)
	prepared, err := lookAt(temp)
	if err != nil {
		return err
	}
	committed, err := lookAt(final)
	if err != nil {
		return err
	}
	switch {
	case prepared == nil && committed == nil:
		return fmt.Errorf("%w: %d bytes, prepared as %s, are neither there nor at %s: was a file moved or deleted? its records are lost or in another place",
			operators.ErrInDoubt, file.Bytes, temp, final)
	case prepared == nil && committed.Size() != file.Bytes:
		return fmt.Errorf("%w: %s has %d bytes, but %d were prepared, and %s is gone", operators.ErrInDoubt, final, committed.Size(), file.Bytes, temp)
	case prepared == nil: // committed before
		return nil
	case committed != nil && os.SameFile(prepared, committed): // a crash kept both names
		return f.disk.remove(temp)
	case committed != nil:
		return fmt.Errorf("%s exists and is not ours: move it away, the commit will be tried again", final)
	case prepared.Size() != file.Bytes:
		return fmt.Errorf("%w: %s has %d bytes, but %d were prepared: it was changed since", operators.ErrInDoubt, temp, prepared.Size(), file.Bytes)
	}
	if err := f.disk.rename(temp, final); err != nil {
		return explain(err)
	}
	f.who.Step("files.renamed")
	return nil
}

// lookAt is Lstat with nil for what does not exist.
func lookAt(path string) (os.FileInfo, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return info, explain(err)
}

// wrap names the sink and the call.
func (f *folder) wrap(call string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("files.Sink %q, subtask %d, folder %s: %s: %w", f.who.Operator, f.who.Index, f.dir, call, err)
}
