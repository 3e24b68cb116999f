package files

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// hiddenFolder holds what is in progress, within the sink's own folder so that
// a rename does not leave the file system.
const hiddenFolder = ".weir"

// artefact names a file of the sink, in progress and committed, so that each
// can be traced to who made it. job and operator are escaped.
type artefact struct {
	job, operator string
	attempt       uint64
	subtask, seq  int
	extension     string
}

// temp is the path while in progress, relative to the sink's folder.
func (a artefact) temp() string {
	return filepath.Join(hiddenFolder, a.operator, fmt.Sprintf("%s@%d-%d-%d.%s", a.job, a.attempt, a.subtask, a.seq, a.extension))
}

// final is the name once committed.
func (a artefact) final() string {
	return fmt.Sprintf("%s-%d-%d-%d.%s", a.operator, a.subtask, a.attempt, a.seq, a.extension)
}

// parseTemp reads the base name of temp.
func parseTemp(operator, name string) (artefact, bool) {
	job, numbers, ok := strings.Cut(name, "@")
	if !ok {
		return artefact{}, false
	}
	dash, n, extension, ok := lastNumbers("-" + numbers)
	return artefact{job: job, operator: operator, attempt: n[0], subtask: int(n[1]), seq: int(n[2]), extension: extension},
		ok && dash == ""
}

// parseFinal reads the name of a committed file.
func parseFinal(name string) (artefact, bool) {
	operator, n, extension, ok := lastNumbers(name)
	return artefact{operator: operator, subtask: int(n[0]), attempt: n[1], seq: int(n[2]), extension: extension},
		ok && operator != ""
}

// lastNumbers cuts "x-1-2-3.ext" into "x", its numbers and "ext".
func lastNumbers(name string) (before string, n [3]uint64, extension string, ok bool) {
	dash := strings.LastIndexByte(name, '-')
	if dash < 0 {
		return "", n, "", false
	}
	last, extension, ok := strings.Cut(name[dash+1:], ".")
	before = name[:dash]
	for i := 2; ok && i >= 0; i-- {
		v, err := strconv.ParseUint(last, 10, 63)
		if n[i] = v; err != nil {
			return "", n, "", false
		}
		if i == 0 {
			break
		}
		if dash = strings.LastIndexByte(before, '-'); dash < 0 {
			return "", n, "", false
		}
		before, last = before[:dash], before[dash+1:]
	}
	return before, n, extension, ok
}

// escape makes a name a part of a file name: bytes other than letters, digits,
// '-', '_' and '.' (but not a leading one) become %XX.
func escape(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// compareFinal orders the names of committed files: by operator, subtask,
// attempt and sequence, and all others behind by name.
func compareFinal(x, y string) int {
	a, aOK := parseFinal(x)
	b, bOK := parseFinal(y)
	switch {
	case aOK && !bOK:
		return -1
	case !aOK && bOK:
		return 1
	case !aOK:
		return cmp.Compare(x, y)
	}
	return cmp.Or(cmp.Compare(a.operator, b.operator), cmp.Compare(a.subtask, b.subtask),
		cmp.Compare(a.attempt, b.attempt), cmp.Compare(a.seq, b.seq), cmp.Compare(x, y))
}
