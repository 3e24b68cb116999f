package dir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"
)

// A temporary file is named ~<place>.<pid>.<n>: '~' stands in no key; place
// tells hosts and pid namespaces apart, for a pid means something in one only.
const tempFormat = "~%s.%d.%d"

// abandoned is the age at which a temporary file whose process cannot be asked
// for belongs to nobody. It counts from the last write to it.
const abandoned = time.Hour

// createTemp opens a new temporary file in folder, which it makes if need be;
// other processes may remove a folder that is empty just then. A name that is
// there, of another store or of an earlier process with our pid, is passed over.
func (s *store) createTemp(folder string) (*os.File, error) {
	const tries = 100
	for removed := 0; removed < tries; {
		if err := s.makeFolder(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		name := fmt.Sprintf(tempFormat, s.place, os.Getpid(), s.temps.Add(1))
		f, err := os.OpenFile(filepath.Join(folder, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		switch {
		case err == nil:
			return f, nil
		case errors.Is(err, fs.ErrNotExist):
			s.forgetFolder(folder)
			removed++
		case !errors.Is(err, fs.ErrExist):
			return nil, err
		}
	}
	return nil, fmt.Errorf("make a temporary file in %s: %w", folder, fs.ErrNotExist)
}

// place is the same for two processes that can see each other's pids.
func place() string {
	host, _ := os.Hostname()                         // "" is a place too
	namespace, _ := os.Readlink("/proc/self/ns/pid") // Linux only
	return fmt.Sprintf("%016x", xxhash.Sum64String(host+" "+namespace))
}

// removeOldTemps removes the temporary files of processes that are gone, as far
// as it can: they cost space, nothing else. Time is the file system's, that of a
// file made now.
func (s *store) removeOldTemps() {
	f, err := s.createTemp(s.path)
	if err != nil {
		return // a store that is only read may be read-only
	}
	defer os.Remove(f.Name())
	info, err := f.Stat()
	if err := errors.Join(err, f.Close()); err != nil {
		return
	}
	_ = s.walk(s.path, func(path string) {
		if s.isLeftOver(path, info.ModTime()) {
			_ = os.Remove(path) // another process may have, or the next one will
		}
	})
}

var tempName = regexp.MustCompile(`^~([0-9a-f]{16})\.([0-9]+)\.[0-9]+$`)

// isLeftOver asks for the process where its pid can be asked for. Elsewhere,
// and for our own pid, which an earlier process may have had, age decides.
func (s *store) isLeftOver(path string, now time.Time) bool {
	m := tempName.FindStringSubmatch(filepath.Base(path))
	if m == nil {
		return false
	}
	if pid, err := strconv.Atoi(m[2]); err == nil && m[1] == s.place && pid != os.Getpid() {
		return !isAlive(pid)
	}
	info, err := os.Lstat(path)
	return err == nil && now.Sub(info.ModTime()) > abandoned
}
