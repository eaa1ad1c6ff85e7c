package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"macroscope/cifar10"
	"macroscope/models"
)

// cmdPictures writes images of the built-in sample, the first of them at most so many a
// class, as PNG files by class and as NumPy's arrays of the very same:
//
//	pictures DIR N
//
// DIR/0-airplane/*.png to DIR/9-truck, DIR.labels.csv, DIR.npy [N 32 32 3] and DIR.labels.npy;
// and big/big.png of 40 by 30 pixels.
func cmdPictures(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: pictures DIR N")
	}
	dir := ts.MkAbs(args[0])
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	set, err := cifar10.Read(bytes.NewReader(models.Sample()), "sample")
	ts.Check(err)
	var lists, pixels, labels bytes.Buffer
	seen := map[uint8]int{}
	for i, l := range set.Labels {
		if seen[l]++; seen[l] > n {
			continue
		}
		planes := set.Image(i)
		im := image.NewNRGBA(image.Rect(0, 0, 32, 32))
		for p := range 1024 {
			c := color.NRGBA{planes[p], planes[1024+p], planes[2048+p], 255}
			im.SetNRGBA(p%32, p/32, c)
			pixels.Write([]byte{c.R, c.G, c.B})
		}
		labels.WriteByte(l)
		name := fmt.Sprintf("%d-%s/%d.png", l, cifar10.ClassNames[l], i)
		fmt.Fprintf(&lists, "%s,%d\n", name, l)
		var b bytes.Buffer
		ts.Check(png.Encode(&b, im))
		path := filepath.Join(dir, filepath.FromSlash(name))
		ts.Check(os.MkdirAll(filepath.Dir(path), 0o777))
		ts.Check(os.WriteFile(path, b.Bytes(), 0o666))
	}
	// One of another size.
	var b bytes.Buffer
	ts.Check(png.Encode(&b, image.NewGray(image.Rect(0, 0, 40, 30))))
	ts.Check(os.MkdirAll(ts.MkAbs("big"), 0o777))
	ts.Check(os.WriteFile(ts.MkAbs("big/big.png"), b.Bytes(), 0o666))
	array := func(shape string, data []byte) []byte {
		header := "{'descr': '|u1', 'fortran_order': False, 'shape': " + shape + ", }\n"
		return append([]byte("\x93NUMPY\x01\x00"+string([]byte{byte(len(header)), 0})+header), data...)
	}
	ts.Check(os.WriteFile(dir+".labels.csv", lists.Bytes(), 0o666))
	ts.Check(os.WriteFile(dir+".npy", array(fmt.Sprintf("(%d, 32, 32, 3)", labels.Len()), pixels.Bytes()), 0o666))
	ts.Check(os.WriteFile(dir+".labels.npy", array(fmt.Sprintf("(%d,)", labels.Len()), labels.Bytes()), 0o666))
}

// cmdSameCorrect compares the right answers of two of eval's results in JSON:
//
//	samecorrect FILE FILE
func cmdSameCorrect(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: samecorrect FILE FILE")
	}
	var r [2]evalResult
	for i, name := range args {
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(name)), &r[i]))
	}
	if r[0].Correct != r[1].Correct || r[0].Correct < r[0].Images/2 {
		ts.Fatalf("%s has %d of %d right, %s %d of %d", args[0], r[0].Correct, r[0].Images, args[1], r[1].Correct, r[1].Images)
	}
}
