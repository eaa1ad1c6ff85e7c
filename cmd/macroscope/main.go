// Macroscope shows what a multiply-accumulate costs: measured on the CPU it
// runs on, simulated on accelerators, in float32, int8 and 1 bit.
//
// Run macroscope --help for the verbs. Exit code 0 means done, 1 failed, 2
// wrong use. Results go to the standard output, everything else (warnings,
// errors, progress) to the standard error.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks the verb to stop and tidy up; with the handler gone,
	// a second one kills.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Stdout, os.Stderr, os.Args[1:]))
}
