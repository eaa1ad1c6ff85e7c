package design

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// EachLoop reads a mapping in a line such as
//
//	DRAM N4 C3; buffer K3 P55; across S11 Q7 K2; spad K16 R11
//
// Parts go from the outermost level inwards, each with its name and its loops,
// outermost first; across has those over the children of the level before it. part is
// called at each part, loop for each of its loops; what they return ends the reading.
func EachLoop(text string, part func(level string, across bool) error, loop func(dim byte, bound int64) error) error {
	level, acrossRead := "", false
	for more := true; more; {
		var here string
		here, text, more = strings.Cut(text, ";")
		name, rest := word(here)
		across := name == "across"
		switch {
		case name == "":
			return errors.New("a part without a level: want such as buffer K3 P55; across S11")
		case across && (level == "" || acrossRead):
			return errors.New("across: want it once, after a level")
		case !across:
			level = name
		}
		acrossRead = across
		if err := part(level, across); err != nil {
			return err
		}
		seen := 0
		for {
			var w string
			if w, rest = word(rest); w == "" {
				break
			}
			at := strings.IndexByte(dimLetters, w[0])
			bound, err := strconv.ParseInt(w[1:], 10, 64)
			if at < 0 || err != nil || bound < 1 || bound > 1<<31 {
				return fmt.Errorf("loop %q: want a letter of %s and a whole number from 1 to 2^31, such as K16", w, dimLetters)
			}
			if seen>>at&1 != 0 {
				return fmt.Errorf("%s: two loops over %c: want one", name, w[0])
			}
			seen |= 1 << at
			if err := loop(w[0], bound); err != nil {
				return err
			}
		}
	}
	return nil
}

// word cuts the first word off.
func word(s string) (first, rest string) {
	s = strings.TrimLeft(s, " ")
	if i := strings.IndexByte(s, ' '); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// checkLoops says what is wrong with a mapping's line, nil if nothing is.
func (s *Spatial) checkLoops(text string) error {
	next := -1 // the level that may come next, DRAM being -1
	return EachLoop(text, func(level string, across bool) error {
		if across {
			return nil
		}
		for i := next; i < s.Count; i++ {
			if i < 0 && level == "DRAM" || i >= 0 && s.Levels[i].Name == level {
				next = i + 1
				return nil
			}
		}
		return fmt.Errorf("level %q: want DRAM and then the levels from the first to the last", level)
	}, func(byte, int64) error { return nil })
}
