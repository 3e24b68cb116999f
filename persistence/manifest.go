package persistence

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/messages"
)

// FormatVersion is the format of the manifests that this build writes, and the
// newest that it reads.
const FormatVersion = 1

// checkManifest tells whether m can be used as a manifest of job. A manifest of
// a newer build gives a *FormatError, one of another job an *OtherJobError, and
// one that no build would have written any other error.
func checkManifest(job messages.JobID, key string, m *messages.Manifest) error {
	switch {
	case m.Format > FormatVersion:
		return &FormatError{What: fmt.Sprintf("manifest of checkpoint %d", m.Checkpoint), Key: key, Was: m.Format, Known: FormatVersion}
	case m.Job != string(job):
		return &OtherJobError{Key: key, Job: messages.JobID(m.Job), Want: job}
	case m.Format == 0 || m.Checkpoint == 0 || m.Attempt == 0:
		return fmt.Errorf("manifest has format %d, checkpoint %d, attempt %d; none of them is ever 0", m.Format, m.Checkpoint, m.Attempt)
	}
	return checkBlobs(job, m)
}

// checkBlobs holds that a manifest names blobs of its own job only, for what a
// manifest names is deleted with it.
func checkBlobs(job messages.JobID, m *messages.Manifest) error {
	for b := range blobsOf(m) {
		if !strings.HasPrefix(b.GetKey(), dataPrefix(job)+"/") {
			return fmt.Errorf("manifest of checkpoint %d names blob %q, which does not lie below %q", m.Checkpoint, b.GetKey(), dataPrefix(job))
		}
	}
	return nil
}

// blobsOf goes over every blob that m refers to.
func blobsOf(m *messages.Manifest) func(yield func(*messages.Blob) bool) {
	return func(yield func(*messages.Blob) bool) {
		for _, s := range m.GetSubtasks() {
			for _, o := range s.GetOperators() {
				for _, b := range o.GetBlobs() {
					if !yield(b) {
						return
					}
				}
			}
		}
	}
}

// OtherJobError says that the place of a job in the store holds another job's data.
type OtherJobError struct {
	Key       string
	Job, Want messages.JobID
}

func (e *OtherJobError) Error() string {
	return fmt.Sprintf("%s belongs to job %q, not to %q; a store's folders cannot be renamed: give job %q its own store, or use the job's name", e.Key, e.Job, e.Want, e.Want)
}

// complete gives m as attempt a of job publishes it. The caller's m stays as it is.
func complete(job messages.JobID, a messages.Attempt, m *messages.Manifest) (*messages.Manifest, error) {
	c := proto.CloneOf(m)
	if c == nil {
		return nil, errors.New("the manifest is nil")
	}
	if c.Format == 0 {
		c.Format = FormatVersion
	}
	if c.Job == "" {
		c.Job = string(job)
	}
	if c.Attempt == 0 {
		c.Attempt = uint64(a)
	}
	if c.Attempt != uint64(a) {
		return nil, fmt.Errorf("the manifest of checkpoint %d is of attempt %d, the log's claim of attempt %d", c.Checkpoint, c.Attempt, a)
	}
	return c, checkManifest(job, "manifest", c)
}
