// Package house holds the rules that keep the project's rooms apart. It has no
// code but these tests. What may import what stands in ARCHITECTURE.md's table,
// and nowhere else.
package house

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

const (
	module = "macroscope/"
	// maxLines is the longest a hand-written file may be: one job each.
	maxLines = 500
)

// goFile is what the rules look at in a Go file.
type goFile struct {
	path      string // from the root, with slashes
	pkg       string // package name
	imports   []string
	doc       bool // has a package comment
	test      bool
	generated bool
	lines     int
}

// room is the file's folder.
func (f goFile) room() string { return path.Dir(f.path) }

// root is the folder of go.mod.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatalf("two folders up is no module: %v", err)
	}
	return dir
}

// notOurs names folders, by their path from the root, that hold no code of the
// project's: what the go tool leaves out, and what commands write.
func notOurs(rel string) bool {
	switch rel {
	case ".":
		return false
	case "out", "bin", "data":
		return true
	}
	name := path.Base(rel)
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata"
}

var parseOnce = sync.OnceValues(func() ([]goFile, error) {
	var files []goFile
	top := filepath.Join("..", "..")
	err := filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(top, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		switch {
		case d.IsDir() && notOurs(rel):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(rel, ".go"):
			return nil
		}
		f, err := parse(p, rel)
		files = append(files, f)
		return err
	})
	return files, err
})

func goFiles(t *testing.T) []goFile {
	t.Helper()
	files, err := parseOnce()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func parse(file, rel string) (goFile, error) {
	src, err := os.ReadFile(file)
	if err != nil {
		return goFile{}, err
	}
	tree, err := parser.ParseFile(token.NewFileSet(), rel, src, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return goFile{}, err
	}
	f := goFile{
		path: rel, pkg: tree.Name.Name, doc: tree.Doc != nil, generated: ast.IsGenerated(tree),
		test: strings.HasSuffix(rel, "_test.go"), lines: bytes.Count(src, []byte("\n")),
	}
	for _, im := range tree.Imports {
		f.imports = append(f.imports, strings.Trim(im.Path.Value, `"`))
	}
	return f, nil
}

// rooms reads the table of ARCHITECTURE.md: by room, the rooms that it may
// import. A room that may import everything has "everything".
func rooms(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	table := parseTable(string(text))
	if len(table) < 10 {
		t.Fatalf("ARCHITECTURE.md: found %d rooms in its table, want the whole house", len(table))
	}
	return table
}

// tableLine matches | `room` | what it does | `a`, `b` |.
var (
	tableLine = regexp.MustCompile("^\\| `([a-z0-9/_]+)` \\|.*\\| ([^|]*) \\|$")
	roomName  = regexp.MustCompile("`([a-z0-9/_]+)`")
)

func parseTable(text string) map[string][]string {
	table := map[string][]string{}
	for line := range strings.SplitSeq(text, "\n") {
		m := tableLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		allowed := []string{}
		for _, r := range roomName.FindAllStringSubmatch(m[2], -1) {
			allowed = append(allowed, r[1])
		}
		if strings.Contains(m[2], "everything") {
			allowed = append(allowed, "everything")
		}
		table[m[1]] = allowed
	}
	return table
}

// ground tells rooms that all others may import and that import none of ours
// but each other.
func ground(room string) bool {
	return room == "dtype" || strings.HasPrefix(room, "internal/")
}

// cellar tells a room's private rooms (onnx/internal/onnxpb), which Go itself
// keeps others out of. They need no line in the table.
func cellar(room string) bool { return strings.Contains(room, "/internal/") }

func TestImports(t *testing.T) {
	table := rooms(t)
	for _, f := range goFiles(t) {
		if f.test {
			continue // tests may look at both towers: that is how they are held equal
		}
		for _, im := range f.imports {
			if im == "C" {
				t.Errorf("%s: imports C: the program is plain Go and assembly, no cgo", f.path)
			}
			to, ours := strings.CutPrefix(im, module)
			if !ours {
				continue
			}
			if err := allowed(table, f.room(), to); err != nil {
				t.Errorf("%s: %v", f.path, err)
			}
		}
	}
}

// allowed tells why room from may not import room to.
func allowed(table map[string][]string, from, to string) error {
	switch {
	case ground(to) && !ground(from), ground(to) && to != from && strings.HasPrefix(from, "internal/"):
		return nil
	case ground(from):
		return fmt.Errorf("imports %s: %s stands on the ground floor and imports nothing of ours", to, from)
	case cellar(to) && strings.HasPrefix(to, from+"/internal/"):
		return nil
	case cellar(from):
		return fmt.Errorf("imports %s: a room's private room imports nothing of ours", to)
	case slices.Contains(table[from], "everything"), slices.Contains(table[from], to):
		return nil
	}
	return fmt.Errorf("imports %s: ARCHITECTURE.md allows %s to import only %s", to, from, strings.Join(append(table[from], "the ground floor"), ", "))
}

func TestEveryRoomIsOnTheMap(t *testing.T) {
	table := rooms(t)
	exists := map[string]bool{}
	for _, f := range goFiles(t) {
		if !f.test {
			exists[f.room()] = true
		}
	}
	for room := range exists {
		if _, ok := table[room]; !ok && !ground(room) && !cellar(room) {
			t.Errorf("room %s is new: add it to ARCHITECTURE.md's table, with what it does and what it may import, and say there why it is needed", room)
		}
	}
	for room, imports := range table {
		if !exists[room] {
			t.Errorf("ARCHITECTURE.md's table has room %s, which has no Go file", room)
		}
		for _, im := range imports {
			if _, ok := table[im]; !ok && im != "everything" {
				t.Errorf("ARCHITECTURE.md: room %s may import %s, which is not in the table", room, im)
			}
		}
	}
}

// Arrows go downwards: no room may reach itself, even where Go would not mind
// because the code does not use all that the table allows.
func TestMapHasNoCircle(t *testing.T) {
	table := rooms(t)
	var visit func(room string, trail []string)
	seen := map[string]bool{}
	visit = func(room string, trail []string) {
		if at := slices.Index(trail, room); at >= 0 {
			t.Errorf("ARCHITECTURE.md: rooms in a circle: %s", strings.Join(append(trail[at:], room), " → "))
			return
		}
		if seen[room] {
			return
		}
		for _, next := range table[room] {
			visit(next, append(slices.Clip(trail), room))
		}
		seen[room] = true
	}
	for room := range table {
		visit(room, nil)
	}
}

// archRooms are the rooms that exist for one architecture only.
var archRooms = []string{"kernels/amd64", "kernels/arm64"}

func TestOnlyDispatchKnowsTheArchitecture(t *testing.T) {
	dispatch := regexp.MustCompile(`^kernels/dispatch_(amd64|arm64|other)\.go$`)
	for _, f := range goFiles(t) {
		for _, im := range f.imports {
			if im == "C" {
				t.Errorf("%s: imports C: the program is plain Go and assembly, no cgo", f.path)
			}
			to, ours := strings.CutPrefix(im, module)
			within := f.room() == to || strings.HasPrefix(f.room(), to+"/")
			if ours && slices.Contains(archRooms, to) && !within && !dispatch.MatchString(f.path) {
				t.Errorf("%s: imports %s, which only kernels/dispatch_{amd64,arm64,other}.go and rooms within it may", f.path, to)
			}
		}
	}
	for _, room := range archRooms {
		src, err := os.ReadFile(filepath.Join(root(t), filepath.FromSlash(room), "doc.go"))
		if err != nil {
			t.Errorf("%s: want a doc.go, so that importing it never fails: %v", room, err)
		} else if bytes.Contains(src, []byte("//go:build")) {
			t.Errorf("%s/doc.go: has a build constraint, want none", room)
		}
	}
}

func TestFilesAreShort(t *testing.T) {
	for _, f := range goFiles(t) {
		if !f.test && !f.generated && f.lines > maxLines {
			t.Errorf("%s: %d lines, want at most %d: one job a file", f.path, f.lines, maxLines)
		}
	}
}

func TestEveryPackageHasADocComment(t *testing.T) {
	doc := map[string]bool{}
	for _, f := range goFiles(t) {
		if !f.test {
			doc[f.room()] = doc[f.room()] || f.doc
		}
	}
	for room, has := range doc {
		if !has {
			t.Errorf("%s: no file has a package comment", room)
		}
	}
}

// forbidden are words that no file may hold, with the reason. They are put
// together here so that this file does not hold them itself.
var forbidden = map[string]string{
	"/ho" + "me/":        "a path of somebody's machine",
	"/Us" + "ers/":       "a path of somebody's machine",
	"/wo" + "rk/":        "a path of somebody's machine",
	"FIX" + "ME":         "an unfinished thing: finish it or write it down as an issue",
	"TO" + "DO":          "an unfinished thing: finish it or write it down as an issue",
	"<<<<" + "<<< ":      "a merge that was not ended",
	"DO NOT SUB" + "MIT": "a change that was not meant to stay",
}

var textFile = regexp.MustCompile(`(\.(go|s|md|mod|ya?ml|v|sv|sh|txt|txtar|csv|cfg|html|css|svg)|/Makefile|/\.ci/[a-z]+)$`)

func TestNoForbiddenWords(t *testing.T) {
	top := root(t)
	err := filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(top, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		switch {
		case d.IsDir() && (rel == ".git" || rel == "out" || rel == "bin" || rel == "data"):
			return filepath.SkipDir
		case d.IsDir() || !textFile.MatchString("/"+rel):
			return nil
		}
		src, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		for word, why := range forbidden {
			if at := bytes.Index(src, []byte(word)); at >= 0 {
				t.Errorf("%s:%d: %q: %s", rel, 1+bytes.Count(src[:at], []byte("\n")), word, why)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The rules themselves: what they must find.
func TestRules(t *testing.T) {
	table := parseTable("| room | what | may import |\n|---|---|---|\n| `top` | x | everything |\n| `a` | x, y | `b`, `c/d` |\n| `b` | x | nothing |\n| `onnx` | x | nothing |\n")
	if len(table) != 4 || !slices.Equal(table["a"], []string{"b", "c/d"}) || len(table["b"]) != 0 {
		t.Fatalf("table %v", table)
	}
	tests := []struct {
		from, to string
		ok       bool
	}{
		{"top", "a", true}, {"a", "b", true}, {"a", "c/d", true}, {"a", "c", false}, {"b", "a", false},
		{"unknown", "a", false}, {"a", "dtype", true}, {"a", "internal/table", true}, {"dtype", "a", false},
		{"dtype", "internal/table", false}, {"internal/x", "internal/y", true}, {"internal/x", "dtype", true}, {"internal/x", "b", false},
		{"onnx", "onnx/internal/pb", true}, {"a", "onnx/internal/pb", false}, {"onnx/internal/pb", "b", false}, {"onnx/internal/pb", "dtype", true},
	}
	for _, tt := range tests {
		if err := allowed(table, tt.from, tt.to); (err == nil) != tt.ok {
			t.Errorf("%s → %s: %v, want allowed %v", tt.from, tt.to, err, tt.ok)
		}
	}
}
