package main

import (
	"errors"
	"os"
	"runtime"
	"runtime/pprof"
)

// profiles begins the profiles that were asked for and gives what ends them.
func profiles(cpu, allocs string) (stop func() error, err error) {
	var ends []func() error
	if cpu != "" {
		f, err := os.Create(cpu)
		if err != nil {
			return nil, err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return nil, err
		}
		ends = append(ends, func() error { pprof.StopCPUProfile(); return f.Close() })
	}
	if allocs != "" {
		runtime.MemProfileRate = 1
		ends = append(ends, func() error { return writeAllocs(allocs) })
	}
	return func() (err error) {
		for _, end := range ends {
			err = errors.Join(err, end())
		}
		return err
	}, nil
}

func writeAllocs(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	err = pprof.Lookup("allocs").WriteTo(f, 0)
	return errors.Join(err, f.Close())
}
