package tune

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"macroscope/internal/atomicfile"
	"macroscope/internal/regular"
)

// Identity is what picks hold for.
type Identity struct {
	Program string `json:"program"`  // which build of the program measured
	CPU     string `json:"cpu"`      // its brand name
	Feature string `json:"features"` // what it can do, as far as kernels care
}

// Cache keeps picks in a file, one for each kind of CPU in a folder. It is no
// more than a cache: a file that cannot be read counts as empty, with a notice. A
// nil *Cache keeps nothing. It must not be used by several goroutines at a time.
type Cache struct {
	path    string
	id      Identity
	picks   map[string]string // key to the implementation's full name
	changed bool
}

// cacheFile is the file's content.
type cacheFile struct {
	Identity
	Picks map[string]string `json:"picks"`
}

// maxCacheBytes is more than any cache of ours has.
const maxCacheBytes = 1 << 20

// OpenCache reads the folder's cache for a machine and program. The notice, if not
// empty, says in words why there is nothing in it.
func OpenCache(dir string, id Identity) (c *Cache, notice string) {
	name := fmt.Sprintf("tuning-%08x.json", crc32.ChecksumIEEE([]byte(id.CPU+"\n"+id.Feature)))
	c = &Cache{path: filepath.Join(dir, name), id: id, picks: map[string]string{}}
	file, err := read(c.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		notice = fmt.Sprintf("tuning cache ignored: %v", err)
	case file.CPU != id.CPU || file.Feature != id.Feature:
		notice = fmt.Sprintf("tuning cache ignored: %s is of another CPU, %q", c.path, file.CPU)
	case file.Program != id.Program:
		notice = fmt.Sprintf("tuning cache ignored: %s is of another build of the program", c.path)
	case file.Picks != nil:
		c.picks = file.Picks
	}
	return c, notice
}

func read(path string) (*cacheFile, error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxCacheBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxCacheBytes {
		return nil, fmt.Errorf("%s: more than %d bytes", path, maxCacheBytes)
	}
	file := &cacheFile{}
	if err := json.Unmarshal(data, file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return file, nil
}

// get gives what was picked for a key, "" if that is not known.
func (c *Cache) get(key string) string {
	if c == nil {
		return ""
	}
	return c.picks[key]
}

func (c *Cache) set(key, name string) {
	if c != nil && c.picks[key] != name {
		c.picks[key], c.changed = name, true
	}
}

// save writes the file if there is anything new.
func (c *Cache) save(ctx context.Context) error {
	if c == nil || !c.changed {
		return nil
	}
	if info, err := os.Stat(c.path); err == nil && !info.Mode().IsRegular() { // a pipe's reader may never come
		return fmt.Errorf("%s: not a regular file", c.path)
	}
	data, err := json.MarshalIndent(cacheFile{c.id, c.picks}, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(c.path), 0o755); err != nil {
		return err
	}
	if err := atomicfile.WriteBytes(ctx, c.path, append(data, '\n')); err != nil {
		return err
	}
	c.changed = false
	return nil
}
