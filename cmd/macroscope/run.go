package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"macroscope/bench"
	"macroscope/internal/table"
	"macroscope/ptq"
)

// cli lists the verbs in the order in which --help shows them.
//
// To add a verb, write a file named after it with one struct that has kong's
// tags for flags and arguments and a method
//
//	func (c *fooCmd) Run(e *env) error
//
// and add a line here. Run does little itself: it hands its flags to a package
// that does the work and writes what comes back. Its errors are printed as one
// line and end the program with code 1; wrap them in usageError for code 2 when
// the command line is at fault. Loops look at e.ctx; files are written through
// internal/atomicfile; progress goes through e.progress.
type cli struct {
	Kernels   kernelsCmd   `cmd:"" help:"List the implementations, which of them this CPU can run, and which are chosen and why."`
	Inspect   inspectCmd   `cmd:"" help:"Show a network: layers, shapes, bytes, MACs, what would run each; what is not supported and where."`
	Eval      evalCmd      `cmd:"" help:"Count how many CIFAR-10 images a network gets right, with the kernels that are timed."`
	Bench     benchCmd     `cmd:"" help:"Measure kernels, layers and networks side by side."`
	Train     trainCmd     `cmd:"" help:"Train a network on CIFAR-10, in float32 or binarized."`
	Calibrate calibrateCmd `cmd:"" help:"Record the ranges of activations that int8 quantization needs."`
	Quantize  quantizeCmd  `cmd:"" help:"Quantize a network to int8 after training and write it as ONNX (QDQ)."`
	Sim       simCmd       `cmd:"" help:"Say what a network costs on an accelerator: cycles, stalls, traffic, energy."`
	Designs   designsCmd   `cmd:"" help:"List the accelerator designs, their numbers' sources, and what they were validated against."`
	Compare   compareCmd   `cmd:"" help:"Compare benchmark files: what is faster, by how much, and is it more than noise?"`
	Data      dataCmd      `cmd:"" help:"Fetch the CIFAR-10 data set."`
	Report    reportCmd    `cmd:"" help:"Write what this CPU measures and accelerators would cost, on one page."`
	Version   versionCmd   `cmd:"" help:"Print the program's version."`
}

// env is what a verb may use of the world.
type env struct {
	ctx    context.Context // ends on Ctrl-C and SIGTERM
	stdout io.Writer
	stderr io.Writer
}

const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// usageError marks errors that a different command line would avoid.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// run is the program: it executes the verb that args name and returns the exit
// code.
func run(ctx context.Context, stdout, stderr io.Writer, args []string) (code int) {
	// Kong ends the program after printing help; here that only ends run.
	type exit int
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(exit)
			if !ok {
				panic(r)
			}
			code = int(e)
		}
	}()
	parser, err := kong.New(&cli{},
		kong.Name("macroscope"),
		kong.Description("What a multiply-accumulate costs: measured on this CPU, simulated on accelerators, in float32, int8 and 1 bit."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { panic(exit(code)) }),
		kong.Vars{"ranges": strings.Join(ptq.Methods(), ", ")},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		panic(err) // the struct above is wrong
	}
	parsed, err := parser.Parse(withNegatives(args))
	if err != nil {
		return report(stderr, usageError{err})
	}
	return report(stderr, parsed.Run(&env{ctx, stdout, stderr}))
}

// negative is a value that begins with a number below 0.
var negative = regexp.MustCompile(`^-[0-9.]`)

// withNegatives are args with "--flag -1" as "--flag=-1": kong takes what begins with a
// hyphen for a flag, and none of ours begins with a number.
func withNegatives(args []string) (out []string) {
	for i, a := range args {
		if i > 0 && negative.MatchString(a) && strings.HasPrefix(args[i-1], "--") && !strings.Contains(args[i-1], "=") {
			out[len(out)-1] += "=" + a
			continue
		}
		out = append(out, a)
	}
	return out
}

// report prints err as one line and gives the exit code that it means.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	line := strings.Join(strings.Fields(err.Error()), " ")
	fmt.Fprintf(stderr, "macroscope: %s\n", line)
	var usage usageError
	var option *bench.OptionError
	if errors.As(err, &usage) || errors.As(err, &option) {
		return exitUsage
	}
	return exitFailed
}

// maxWarnings is how many lines of one kind are worth reading.
const maxWarnings = 20

// warn prints warnings, one line each.
func (e *env) warn(warnings ...string) {
	for i, w := range warnings {
		if i == maxWarnings {
			fmt.Fprintf(e.stderr, "macroscope: warning: and %d more\n", len(warnings)-i)
			return
		}
		fmt.Fprintf(e.stderr, "macroscope: warning: %s\n", w)
	}
}

// note prints a line that is neither a result nor a warning.
func (e *env) note(format string, args ...any) {
	fmt.Fprintf(e.stderr, "macroscope: "+format+"\n", args...)
}

// writeJSON writes a result for machines.
func (e *env) writeJSON(v any) error {
	enc := json.NewEncoder(e.stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// writeTable writes a table for people: as Markdown if format is "md", else as
// text.
func (e *env) writeTable(format string, t *table.Table) error {
	if format == "md" {
		return t.Markdown(e.stdout)
	}
	return t.Text(e.stdout)
}

// terminalWidth is the width of the terminal that w is, 0 if it is none.
func terminalWidth(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		return 80
	}
	return width
}
