package persistence

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/weirflow/weir/messages"
)

// Limits of keys, so that every segment is a file name on every file system.
const (
	maxSegment = 200 // bytes
	maxJob     = 100 // bytes
	plainName  = 64  // bytes of an operator's name that are kept as they are
)

// CheckKey tells why key cannot be the key of an object: it must consist of
// slash-separated segments of letters, digits, '-', '_', '.', ':' and '=',
// none of them empty, "." or "..", nor longer than 200 bytes.
func CheckKey(key string) error {
	for segment := range strings.SplitSeq(key, "/") {
		if err := checkSegment(segment); err != nil {
			return fmt.Errorf("key %q: %w", key, err)
		}
	}
	return nil
}

// CheckPrefix is CheckKey for List, which also takes "".
func CheckPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	return CheckKey(prefix)
}

func checkSegment(s string) error {
	switch {
	case s == "":
		return errors.New("a segment is empty")
	case s == "." || s == "..":
		return fmt.Errorf("segment %q would leave its place", s)
	case len(s) > maxSegment:
		return fmt.Errorf("a segment has %d bytes, more than %d", len(s), maxSegment)
	}
	for i := range len(s) {
		if !isWord(s[i]) && s[i] != ':' && s[i] != '=' {
			return fmt.Errorf("%q is none of letters, digits, '-', '_', '.', ':' and '='", s[i])
		}
	}
	return nil
}

func isWord(c byte) bool {
	return isLower(c) || 'A' <= c && c <= 'Z'
}

func isLower(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'
}

// CheckJob tells why id cannot name a job.
func CheckJob(id messages.JobID) error {
	s := string(id)
	switch {
	case s == "":
		return errors.New("the job has no name; name the topology")
	case len(s) > maxJob:
		return fmt.Errorf("job name %q has %d bytes; use at most %d", s, len(s), maxJob)
	case strings.Trim(s, ".") == "":
		return fmt.Errorf("job name %q would be a folder's own name; use a letter", s)
	}
	for i := range len(s) {
		if !isWord(s[i]) {
			return fmt.Errorf("job name %q: %q cannot stand in it; use letters, digits, '-', '_' and '.'", s, s[i])
		}
	}
	return nil
}

func logPrefix(job messages.JobID) string { return string(job) + "/log" }

func dataPrefix(job messages.JobID) string { return string(job) + "/data" }

// slotKey gives the key of a slot, padded so that keys sort as numbers do.
func slotKey(job messages.JobID, slot uint64) string {
	return fmt.Sprintf("%s/%020d", logPrefix(job), slot)
}

// BlobPrefix is where one operator of one subtask puts its part of a
// checkpoint: the keys that begin with the prefix are its own, for no prefix
// begins another. The attempt is in it, so that a subtask that outlived its
// attempt overwrites nothing.
func BlobPrefix(job messages.JobID, attempt messages.Attempt, checkpoint messages.CheckpointID, operator messages.OperatorID, index int) string {
	return fmt.Sprintf("%s/%020d.%d/%s.%d.", dataPrefix(job), checkpoint, attempt, operatorSegment(operator), index)
}

// operatorSegment makes any name a part of a segment, without a dot. A short
// name of small letters, digits, '-' and '_' stands for itself; any other is made
// readable and told from its like by a hash behind '=', which no plain name
// contains. Capital letters count as other, for file systems that do not tell
// them from small ones.
func operatorSegment(name messages.OperatorID) string {
	cut := []byte(name[:min(len(name), plainName)])
	plain := len(cut) == len(name) && len(name) > 0
	for i, c := range cut {
		if !isWord(c) || c == '.' {
			cut[i] = '_'
		}
		plain = plain && isLower(c) && c != '.'
	}
	if plain {
		return string(cut)
	}
	return fmt.Sprintf("%s=%016x", cut, xxhash.Sum64String(string(name)))
}

// checkpointOf takes the checkpoint and the attempt from a blob's key, or
// gives ok = false for a key that BlobPrefix has not made.
func checkpointOf(job messages.JobID, key string) (cp messages.CheckpointID, a messages.Attempt, ok bool) {
	rest, ok := strings.CutPrefix(key, dataPrefix(job)+"/")
	if !ok {
		return 0, 0, false
	}
	folder, _, ok := strings.Cut(rest, "/")
	number, attempt, dot := strings.Cut(folder, ".")
	c, err1 := strconv.ParseUint(number, 10, 64)
	n, err2 := strconv.ParseUint(attempt, 10, 64)
	return messages.CheckpointID(c), messages.Attempt(n), ok && dot && err1 == nil && err2 == nil
}

// slotOf takes the slot from a key of the log.
func slotOf(job messages.JobID, key string) (uint64, bool) {
	digits, ok := strings.CutPrefix(key, logPrefix(job)+"/")
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, ok && err == nil && n > 0 && len(digits) == 20
}
