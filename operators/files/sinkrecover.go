package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/weirflow/weir/operators"
)

// Recover deletes the files in progress that older attempts of this job left
// and no checkpoint knows. Subtask i of n takes those that subtasks i, i+n,
// i+2n... left, so that all are covered at any parallelism. Files of this
// attempt, of newer ones, of other jobs and of other make are not touched.
func (f *folder) Recover(ctx context.Context, r operators.Recovery) error {
	if err := f.recover(r); err != nil {
		return f.wrap("Recover", err)
	}
	return nil
}

func (f *folder) recover(r operators.Recovery) error {
	if !r.Restored {
		if err := f.refuseResults(); err != nil {
			return err
		}
	}
	keep, err := tempsOf(r.Keep)
	if err != nil {
		return err
	}
	orphans, err := f.inProgress()
	if err != nil {
		return err
	}
	for _, a := range orphans {
		mine := a.job == escape(string(f.who.Job)) && a.attempt < uint64(r.Attempt) && a.subtask%r.Parallelism == r.Index
		if !mine || keep[a.temp()] {
			continue
		}
		if err := f.disk.remove(filepath.Join(f.dir, a.temp())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return explain(err)
		}
	}
	return nil
}

// refuseResults protects the results of an earlier run from being doubled.
func (f *folder) refuseResults() error {
	names, err := os.ReadDir(f.dir)
	if err != nil {
		return explain(err)
	}
	for _, n := range names {
		if a, ok := parseFinal(n.Name()); ok && a.operator == escape(string(f.who.Operator)) {
			return fmt.Errorf("the job starts from nothing, but the folder has results of an earlier run (%s): empty it, choose another folder, or restore the job from its checkpoint", n.Name())
		}
	}
	return nil
}

// tempsOf lists the files in progress that handles speak of.
func tempsOf(handles [][]byte) (map[string]bool, error) {
	temps := map[string]bool{}
	for _, h := range handles {
		files, err := decodeHandle(h)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			temps[file.Temp] = true
		}
	}
	return temps, nil
}

// inProgress lists this operator's files in progress, of all jobs and attempts.
func (f *folder) inProgress() ([]artefact, error) {
	operator := escape(string(f.who.Operator))
	names, err := os.ReadDir(filepath.Join(f.dir, hiddenFolder, operator))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, explain(err)
	}
	var found []artefact
	for _, n := range names {
		if a, ok := parseTemp(operator, n.Name()); ok && !n.IsDir() {
			found = append(found, a)
		}
	}
	return found, nil
}

// tidy removes hidden folders that are empty.
func (f *folder) tidy() {
	hidden := filepath.Join(f.dir, hiddenFolder)
	if f.disk.remove(filepath.Join(hidden, escape(string(f.who.Operator)))) == nil {
		_ = f.disk.remove(hidden) // others may be at work in there
	}
}
