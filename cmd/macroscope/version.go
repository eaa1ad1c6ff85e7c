package main

import (
	"fmt"

	"macroscope/bench"
)

type versionCmd struct{}

func (*versionCmd) Run(e *env) error {
	m := bench.DescribeMachine()
	commit := m.Commit
	if commit == "" {
		commit = "of unknown commit"
	}
	level := ""
	if m.GOAMD64 != "" {
		level = " " + m.GOAMD64
	}
	_, err := fmt.Fprintf(e.stdout, "macroscope %s (%s, %s/%s%s)\n", commit, m.GoVersion, m.GOOS, m.GOARCH, level)
	return err
}
