package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentedCommands runs the commands that the documents show, so that no
// document tells of a command or an output that does not exist. Each block
//
//	```console exact
//	$ macroscope compare a.txt b.txt
//	...
//	```
//
// says after the word console how far its output can be repeated:
//
//	exact    it comes out like this everywhere; "..." stands for any text
//	         within a line, a line of "..." for any number of lines
//	machine  it depends on the machine: the command must succeed, and the first
//	         line of its output (the headings) must contain these words
//	norun    it is not run: it takes long, or needs a network or data
//
// A block may hold several commands. Lines that begin with "$" and another
// program are not run. The working folder is a temporary one in which
// everything of the repository stands under its name.
func TestDocumentedCommands(t *testing.T) {
	root := repoRoot(t)
	files, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(files, more...) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range consoleBlocks(string(text)) {
			t.Run(fmt.Sprintf("%s:%d", filepath.Base(path), b.line), func(t *testing.T) { b.check(t, root) })
		}
	}
}

// repoRoot is the folder of go.mod.
func repoRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the working folder")
		}
		dir = parent
	}
}

type consoleBlock struct {
	line     int // of the opening fence
	mode     string
	commands []documented
}

// documented is a command line and what the document shows below it.
type documented struct {
	line   int
	args   string
	output []string
}

// consoleBlocks finds the blocks that hold a macroscope command.
func consoleBlocks(text string) []consoleBlock {
	var blocks []consoleBlock
	var b *consoleBlock
	for i, line := range strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		switch {
		case b == nil:
			if mode, ok := strings.CutPrefix(line, "```console"); ok {
				b = &consoleBlock{line: i + 1, mode: strings.TrimSpace(mode)}
			}
		case strings.HasPrefix(line, "```"):
			for _, c := range b.commands {
				if c.args != "" {
					blocks = append(blocks, *b)
					break
				}
			}
			b = nil
		case strings.HasPrefix(line, "$ "):
			// Other programs get an empty command, which holds their output.
			args, _ := strings.CutPrefix(line, "$ macroscope ")
			if args == line {
				args = ""
			}
			b.commands = append(b.commands, documented{line: i + 1, args: args})
		case len(b.commands) > 0:
			last := &b.commands[len(b.commands)-1]
			last.output = append(last.output, line)
		}
	}
	return blocks
}

func (b consoleBlock) check(t *testing.T, root string) {
	switch b.mode {
	case "norun":
		t.Skip("the document says not to run this")
	case "exact", "machine":
	default:
		t.Fatalf("block is marked %q: want exact, machine or norun after console", b.mode)
	}
	t.Chdir(mirror(t, root))
	for _, c := range b.commands {
		if c.args == "" {
			continue
		}
		args, err := splitArgs(c.args)
		if err != nil {
			t.Fatalf("line %d: %v", c.line, err)
		}
		var stdout, stderr strings.Builder
		if code := run(t.Context(), &stdout, &stderr, args); code != exitDone {
			t.Fatalf("line %d: macroscope %s: exit code %d: %s", c.line, c.args, code, stderr.String())
		}
		got := strings.Split(strings.TrimRight(stdout.String(), "\n"), "\n")
		if b.mode == "machine" {
			checkHeadings(t, c, got)
			continue
		}
		pattern := outputPattern(c.output)
		if !pattern.MatchString(strings.Join(got, "\n") + "\n") {
			t.Errorf("line %d: macroscope %s printed\n%s\nwant\n%s", c.line, c.args, strings.Join(got, "\n"), strings.Join(c.output, "\n"))
		}
	}
}

// checkHeadings looks for the words of the document's first output line.
func checkHeadings(t *testing.T, c documented, got []string) {
	if len(c.output) == 0 {
		return
	}
	for _, word := range strings.Fields(c.output[0]) {
		if word != "..." && !strings.Contains(got[0], word) {
			t.Errorf("line %d: macroscope %s begins with %q, the document has %q", c.line, c.args, got[0], c.output[0])
			return
		}
	}
}

// outputPattern makes the document's output into a regular expression for the
// program's, which ends in a newline.
func outputPattern(lines []string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`^`)
	for _, line := range lines {
		if strings.TrimSpace(line) == "..." {
			b.WriteString(`(?:[^\n]*\n)*`)
			continue
		}
		parts := strings.Split(strings.TrimRight(line, " "), "...")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		b.WriteString(strings.Join(parts, `[^\n]*`) + `\n`)
	}
	return regexp.MustCompile(b.String() + `$`)
}

// mirror makes a temporary folder with a link to everything in the repository,
// so that what commands write does not land there.
func mirror(t *testing.T, root string) string {
	t.Helper()
	dir := t.TempDir()
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := e.Name(); name != "out" && name != "bin" && name != ".git" {
			if err := os.Symlink(filepath.Join(root, name), filepath.Join(dir, name)); err != nil {
				t.Skipf("this system makes no symbolic links: %v", err)
			}
		}
	}
	return dir
}

// splitArgs splits a command line at blanks, except within quotes.
func splitArgs(s string) ([]string, error) {
	var args []string
	var arg strings.Builder
	quote, in := rune(0), false
	for _, r := range s {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, in = r, true
		case quote == 0 && r == ' ':
			if in {
				args = append(args, arg.String())
				arg.Reset()
				in = false
			}
		default:
			arg.WriteRune(r)
			in = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("%s: quote %c is not closed", s, quote)
	}
	if in {
		args = append(args, arg.String())
	}
	return args, nil
}

// The checker itself: what it must find and what it must let pass.
func TestDocumentChecker(t *testing.T) {
	const text = "# x\n\n```console exact\n$ macroscope version\nmacroscope ... (go1...)\n$ ls\nREADME.md\n```\n\n```console\n$ make test\n```\n" +
		"```go\n$ macroscope version\n```\n```console\n$ macroscope data\n```\n"
	blocks := consoleBlocks(text)
	if len(blocks) != 2 {
		t.Fatalf("%d blocks, want 2: %+v", len(blocks), blocks)
	}
	if b := blocks[0]; b.line != 3 || b.mode != "exact" || len(b.commands) != 2 || b.commands[0].args != "version" || len(b.commands[0].output) != 1 {
		t.Errorf("first block: %+v", b)
	}
	if blocks[1].mode != "" {
		t.Errorf("second block is marked %q, want no mark, which is an error", blocks[1].mode)
	}

	tests := []struct {
		doc, got string
		match    bool
	}{
		{"a b", "a b", true},
		{"a b", "a c", false},
		{"a b", "a b\nmore", false},
		{"time ... ms", "time 12 ms", true},
		{"time ... ms", "time 12\nx ms", false},
		{"first\n...\nlast", "first\n1\n2\nlast", true},
		{"first\n...\nlast", "first\nlast", true},
		{"first\n...", "first\n1\n2", true},
		{"a.b", "axb", false},
		{"a\nb", "ab", false},
	}
	for _, tt := range tests {
		if got := outputPattern(strings.Split(tt.doc, "\n")).MatchString(tt.got + "\n"); got != tt.match {
			t.Errorf("document %q, output %q: match %v, want %v", tt.doc, tt.got, got, tt.match)
		}
	}

	args, err := splitArgs(`compare --filter '.unit:ns/op x' "a b" c ''`)
	if want := []string{"compare", "--filter", ".unit:ns/op x", "a b", "c", ""}; err != nil || strings.Join(args, "|") != strings.Join(want, "|") {
		t.Errorf("got %q, %v; want %q", args, err, want)
	}
	if _, err := splitArgs(`a 'b`); err == nil {
		t.Error("open quote: no error")
	}
}
