package design

import (
	"embed"
	"fmt"
	"path/filepath"
	"sort"
	"strings"

	"macroscope/internal/regular"
)

//go:embed shipped/*.yaml
var shippedFiles embed.FS

// Shipped lists the names of the designs that come with the program.
func Shipped() []string {
	entries, err := shippedFiles.ReadDir("shipped")
	if err != nil {
		panic(err) // the folder is embedded
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".yaml")
	}
	sort.Strings(names)
	return names
}

// Source returns a shipped design's file, to read or to copy and change.
func Source(name string) ([]byte, error) {
	b, err := shippedFiles.ReadFile("shipped/" + name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("design %q: want %s or a file name ending in .yaml, .yml or .cfg", name, orList(Shipped()))
	}
	return b, nil
}

// Load returns a shipped design by its name, or reads a file: YAML, or a
// SCALE-Sim configuration where the name ends in .cfg.
func Load(nameOrPath string) (Design, error) {
	ext := strings.ToLower(filepath.Ext(nameOrPath))
	switch ext {
	case ".yaml", ".yml", ".cfg":
		f, err := regular.Open(nameOrPath)
		if err != nil {
			return Design{}, err
		}
		defer f.Close()
		if ext == ".cfg" {
			return ParseSCALESim(nameOrPath, f)
		}
		return Parse(nameOrPath, f)
	}
	b, err := Source(nameOrPath)
	if err != nil {
		return Design{}, err
	}
	return Parse(nameOrPath+".yaml", strings.NewReader(string(b)))
}
