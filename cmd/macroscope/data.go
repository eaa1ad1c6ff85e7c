package main

import (
	"fmt"
	"io"

	"macroscope/cifar10"
)

type dataCmd struct {
	Dir string `arg:"" optional:"" default:"data" help:"Folder to put cifar-10-batches-bin into (default: data)."`
}

func (c *dataCmd) Run(e *env) error {
	words := io.Discard
	if terminalWidth(e.stderr) > 0 {
		words = e.stderr
	}
	if err := cifar10.Fetch(e.ctx, c.Dir, cifar10.Official, words); err != nil {
		return err
	}
	_, err := fmt.Fprintf(e.stdout, "CIFAR-10 is in %s: give --data %s\n", c.Dir, c.Dir)
	return err
}
