package main

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// progress is a line on a terminal that is written over and over. It draws only
// when told to, never on its own: a bar that refreshes itself in the background
// would run beside the measurements.
type progress struct {
	w     io.Writer
	width int // 0: no terminal, nothing is drawn
	last  time.Time
	drawn bool
}

// progress starts a progress line on the standard error. Off a terminal it
// stays silent. The verb ends it with done.
func (e *env) progress() *progress {
	return &progress{w: e.stderr, width: terminalWidth(e.stderr)}
}

// redrawEvery keeps the terminal from being what takes the time.
const redrawEvery = 100 * time.Millisecond

// set shows that done of total steps are done and what comes next.
func (p *progress) set(done, total int, what string) {
	if p.width == 0 || total <= 0 || time.Since(p.last) < redrawEvery {
		return
	}
	p.last = time.Now()
	p.drawn = true
	fmt.Fprintf(p.w, "\r\x1b[K%s", progressLine(done, total, what, p.width-1))
}

// done takes the line away.
func (p *progress) done() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// progressLine draws a bar, a percentage and what comes next, in at most width
// columns.
func progressLine(done, total int, what string, width int) string {
	const bar = 20
	done = min(max(done, 0), total)
	full := bar * done / total
	line := fmt.Sprintf("[%s%s] %3d%% %s", strings.Repeat("=", full), strings.Repeat(" ", bar-full), 100*done/total, what)
	if utf8.RuneCountInString(line) <= width {
		return line
	}
	return string([]rune(line)[:max(width, 0)])
}
