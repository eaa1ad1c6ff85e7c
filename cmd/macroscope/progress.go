package main

import (
	"io"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// progress is a bar on a terminal. It draws only when told to, never on its
// own: a bar that refreshes itself in the background would run beside the
// measurements.
type progress struct {
	w       io.Writer
	width   int // 0: no terminal, nothing is drawn
	bars    *mpb.Progress
	bar     *mpb.Bar
	total   int
	refresh chan any
	what    atomic.Value // string: the bar is drawn by another goroutine
	last    time.Time
}

// progress starts a progress bar on the standard error. Off a terminal it
// stays silent. The verb ends it with done, which may be called again.
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
	p.what.Store(what)
	if p.total != total { // another piece of work
		p.done()
		p.start(total)
	}
	p.bar.SetCurrent(int64(min(done, total-1))) // a full bar would end itself
	p.refresh <- p.last
}

func (p *progress) start(total int) {
	p.total = total
	p.refresh = make(chan any)
	p.bars = mpb.New(mpb.WithOutput(p.w), mpb.WithWidth(20), mpb.WithManualRefresh(p.refresh))
	p.bar = p.bars.AddBar(int64(total), mpb.AppendDecorators(
		decor.Percentage(decor.WC{W: 5}),
		decor.Any(func(decor.Statistics) string { return " " + shorten(p.what.Load().(string), p.width-30) }),
	))
}

// done takes the bar away.
func (p *progress) done() {
	if p.bar == nil {
		return
	}
	p.bar.Abort(true)
	p.bars.Wait()
	p.bar, p.total = nil, 0
}

// shorten cuts s to n runes.
func shorten(s string, n int) string {
	r := []rune(s)
	return string(r[:max(0, min(n, len(r)))])
}
