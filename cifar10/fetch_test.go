package cifar10

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

type entry struct {
	name string
	kind byte
	data []byte
}

// good are the entries of a small but whole archive.
func good() []entry {
	e := []entry{{ArchiveDir + "/", tar.TypeDir, nil}, {ArchiveDir + "/readme.html", tar.TypeReg, []byte("hello")}}
	for i, name := range slices.Concat(trainFiles, testFiles) {
		e = append(e, entry{ArchiveDir + "/" + name, tar.TypeReg, records(i + 1)})
	}
	return e
}

func pack(t *testing.T, entries []entry) []byte {
	t.Helper()
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	tw := tar.NewWriter(zw)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Mode: 0o644, Size: int64(len(e.data))}
		if e.kind == tar.TypeSymlink {
			h.Linkname = "/etc"
		}
		if err := tw.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write(e.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sum(b []byte) string {
	s := md5.Sum(b)
	return hex.EncodeToString(s[:])
}

func serve(t *testing.T, data []byte) (url string, requests *int) {
	t.Helper()
	requests = new(int)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		*requests++
		w.Write(data)
	}))
	t.Cleanup(s.Close)
	return s.URL, requests
}

// nothingLeft fails if dir holds anything but the names given.
func nothingLeft(t *testing.T, dir string, want ...string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	if !slices.Equal(names, want) {
		t.Errorf("%s holds %v: want %v", dir, names, want)
	}
}

func TestFetch(t *testing.T) {
	data := pack(t, good())
	url, requests := serve(t, data)
	dir := filepath.Join(t.TempDir(), "data")
	var progress strings.Builder
	for range 2 { // the second time there is nothing to do
		if err := Fetch(t.Context(), dir, Archive{url, sum(data)}, &progress); err != nil {
			t.Fatal(err)
		}
	}
	if *requests != 1 {
		t.Errorf("%d downloads: want 1", *requests)
	}
	if p := progress.String(); !strings.Contains(p, "ready") || !strings.Contains(p, "already") {
		t.Errorf("progress %q", p)
	}
	nothingLeft(t, dir, ArchiveDir)
	test, err := LoadTest(dir)
	if err != nil {
		t.Fatal(err)
	}
	train, err := LoadTrain(dir)
	if err != nil {
		t.Fatal(err)
	}
	if test.Len() != 6 || train.Len() != 15 {
		t.Errorf("%d test and %d training images: want 6 and 15", test.Len(), train.Len())
	}
}

func TestFetchRefuses(t *testing.T) {
	without := func(i int) []entry { return slices.Delete(good(), i, i+1) }
	with := func(e entry) []entry { return append(good(), e) }
	whole := pack(t, good())
	for _, c := range []struct {
		name string
		data []byte
		md5  string
		want string
	}{
		{"other sum", whole, Official.MD5, "MD5 " + sum(whole)},
		{"not gzip", []byte("<html>404 not found</html>"), "", "gzip"},
		{"cut short", whole[:len(whole)-40], "", "EOF"},
		{"file missing", pack(t, without(3)), "", "no cifar-10-batches-bin/data_batch_2.bin"},
		{"file twice", pack(t, with(good()[4])), "", "once"},
		{"parent folder", pack(t, with(entry{"../evil.bin", tar.TypeReg, []byte("x")})), "", "../evil.bin"},
		{"climbing", pack(t, with(entry{ArchiveDir + "/../../evil", tar.TypeReg, []byte("x")})), "", "evil"},
		{"absolute", pack(t, with(entry{"/tmp/evil", tar.TypeReg, []byte("x")})), "", "/tmp/evil"},
		{"link", pack(t, append([]entry{{ArchiveDir + "/batches.meta.txt", tar.TypeSymlink, nil}}, good()...)), "", "as a file"},
		{"unknown name", pack(t, with(entry{ArchiveDir + "/evil.sh", tar.TypeReg, []byte("x")})), "", "evil.sh"},
		{"bad label", pack(t, append(without(7), entry{ArchiveDir + "/test_batch.bin", tar.TypeReg, bytes.Repeat([]byte{77}, RecordBytes)})), "", "label 77"},
		{"31 bytes", pack(t, append(without(7), entry{ArchiveDir + "/test_batch.bin", tar.TypeReg, make([]byte, 31)})), "", "ends after 31 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			url, _ := serve(t, c.data)
			if c.md5 == "" {
				c.md5 = sum(c.data)
			}
			root := t.TempDir()
			dir := filepath.Join(root, "data")
			err := Fetch(t.Context(), dir, Archive{url, c.md5}, io.Discard)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, c.want)
			}
			nothingLeft(t, dir)
			nothingLeft(t, root, "data")
		})
	}
}

func TestFetchOffline(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	url := s.URL
	dir := t.TempDir()
	if err := Fetch(t.Context(), dir, Archive{url, Official.MD5}, io.Discard); err == nil || !strings.Contains(err.Error(), "status 404") {
		t.Errorf("404: got %v", err)
	}
	s.Close()
	err := Fetch(t.Context(), dir, Archive{url, Official.MD5}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "cannot reach the network") {
		t.Errorf("nobody listens: got %v", err)
	}
	nothingLeft(t, dir)
}

func TestFetchInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write(make([]byte, 1<<20))
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
	}))
	defer s.Close()
	dir := t.TempDir()
	if err := Fetch(ctx, dir, Archive{s.URL, Official.MD5}, io.Discard); err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("got %v", err)
	}
	nothingLeft(t, dir)
}
