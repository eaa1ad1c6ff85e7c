package main

import (
	"fmt"
	"strconv"
	"strings"

	"macroscope/bench"
	"macroscope/dataset"
	"macroscope/graph"
	"macroscope/onnx"
	"macroscope/ptq"
)

// dataFlags say how to read the images of --data.
type dataFlags struct {
	Labels     string `help:"The labels of --data: for a folder of images, lines of a file's name and a class's index; for images in a .npy file, a .npy file. Without it: a folder's sub-folders are the classes, in the order of their names." placeholder:"FILE"`
	Resize     string `enum:"none,stretch,crop" default:"none" help:"What becomes of pictures of another size: they are refused (none), scaled whole (stretch), or their middle is (crop): ${enum}." placeholder:"HOW"`
	DataLayout string `enum:"auto,nchw,nhwc" default:"auto" help:"The order of images in an array, where its shape does not tell: ${enum}." placeholder:"ORDER"`
}

// open opens a data set.
func (f *dataFlags) open(path string, split dataset.Split) (*dataset.Source, error) {
	return dataset.Open(path, dataset.Options{Split: split, Labels: f.Labels, Resize: dataset.Resize(f.Resize), Layout: dataset.Layout(f.DataLayout)})
}

// set opens the images of a path, or of none the built-in sample, in the form that a
// network takes. The caller closes what comes with it.
func (f *dataFlags) set(path string, split dataset.Split, g *graph.Graph) (*dataset.Set, func(), error) {
	if path == "" {
		set, err := bench.SampleSet(g)
		if err != nil {
			return nil, nil, usageError{fmt.Errorf("%w; give --data, or --layout or --input where the network can take them", err)}
		}
		return set, func() {}, nil
	}
	src, err := f.open(path, split)
	if err != nil {
		return nil, nil, err
	}
	set, err := src.Set(g.Input.Shape, g.Classes())
	if err != nil {
		src.Close()
		return nil, nil, err
	}
	return set, func() { src.Close() }, nil
}

// calibrate runs g over images of the training set of a path. The words for them are the
// calibration's Source.
func (f *dataFlags) calibrate(e *env, g *graph.Graph, path string, images int, bar *progress) (*ptq.Calibration, *dataset.Set, error) {
	all, done, err := f.set(path, dataset.Train, g)
	if err != nil {
		return nil, nil, err
	}
	defer done()
	set := all.Some(images)
	source := fmt.Sprintf("%d of the %d %s", set.Len(), all.Len(), all.Name())
	if all.IsCIFAR10() {
		source = fmt.Sprintf("the first %d CIFAR-10 training images", set.Len())
	}
	cal, err := ptq.CalibrateOn(e.ctx, g, set, source, func(done, of int) { bar.set(done, of, "calibrating") })
	return cal, all, err
}

// fileFlags say how to read a network from a file and what it wants of images.
type fileFlags struct {
	dataFlags
	shapeFlags
	pixelFlags
}

// readPrepared reads a network from a file, with what turns the pixels of the images of a
// path into what it wants; floats are fed as they are.
func (f *fileFlags) readPrepared(e *env, path, data string, split dataset.Split) (*graph.Graph, error) {
	g, err := f.readModel(path)
	if err != nil {
		return nil, err
	}
	return f.prepared(e, g, path, data, split)
}

// prepared is readPrepared of a network that has been read.
func (f *fileFlags) prepared(e *env, g *graph.Graph, path, data string, split dataset.Split) (*graph.Graph, error) {
	floats, err := f.floats(data, split)
	if err != nil {
		return nil, err
	}
	return f.prepare(e, g, path, floats)
}

// floats says whether the images of a path are numbers to be fed as they are.
func (f *dataFlags) floats(path string, split dataset.Split) (bool, error) {
	if path == "" {
		return false, nil
	}
	src, err := f.open(path, split)
	if err != nil {
		return false, err
	}
	return src.Floats(), src.Close()
}

// pixelFlags say what a network from a file wants in place of the data set's raw pixels.
type pixelFlags struct {
	Mean       []float32 `help:"Taken off each pixel, after --pixel-range: one number, or one a channel in the network's order." placeholder:"M,..."`
	Std        []float32 `help:"What each pixel is divided by then: one number, or one a channel." placeholder:"S,..."`
	PixelRange string    `help:"What pixels 0 and 255 become first, 0:1 or -1:1. Without it: what the file's metadata says, or 0:255." placeholder:"LO:HI"`
	Channels   string    `enum:"auto,rgb,bgr" default:"auto" help:"The order of colours that the network takes; auto is what the file's metadata says, or rgb: ${enum}." placeholder:"ORDER"`
	Layout     string    `enum:"chw,hwc" default:"chw" help:"The input's order: planes of channels (chw) or pixel after pixel (hwc): ${enum}."`
}

// The image metadata of ONNX (https://onnx.ai/onnx/repo-docs/MetadataProps.html), whose keys
// and values are told apart without regard to case.
const (
	pixelFormat  = "Image.BitmapPixelFormat"
	pixelGamma   = "Image.ColorSpaceGamma"
	nominalRange = "Image.NominalPixelRange"
)

// pixelRanges are what pixels 0 and 255 become, by nominal range.
var pixelRanges = map[string][2]float32{
	"nominalrange_0_255": {0, 255}, "normalized_0_1": {0, 1}, "normalized_1_1": {-1, 1}, "nominalrange_16_235": {16, 235},
}

// metadata are the values of a file's metadata in lower case, by key in lower case.
func metadata(path string) map[string]string {
	m := map[string]string{}
	if s, err := onnx.SurveyFile(path); err == nil {
		for k, v := range s.Metadata {
			m[strings.ToLower(k)] = strings.ToLower(v)
		}
	}
	return m
}

// prepare puts before g what turns the data's pixels into what it wants. floats are images
// that are fed as they are: then only the flags say something, not the file's metadata.
func (f *pixelFlags) prepare(e *env, g *graph.Graph, path string, floats bool) (*graph.Graph, error) {
	p := graph.Preparation{Mean: f.Mean, Std: f.Std, HWC: f.Layout == "hwc", Reversed: f.Channels == "bgr"}
	said := map[string]string{}
	if !floats {
		said = metadata(path)
	}
	about := func(key string) string { return said[strings.ToLower(key)] }
	name := about(nominalRange)
	switch r, known := pixelRanges[name]; {
	case floats && f.PixelRange != "":
		return nil, usageError{fmt.Errorf("--pixel-range %s: the images are float32 numbers, not pixels of 0 to 255", f.PixelRange)}
	case floats:
		p.Lo, p.Hi = 0, 255 // itself
	case f.PixelRange != "":
		lo, hi, ok := strings.Cut(f.PixelRange, ":")
		low, err := strconv.ParseFloat(lo, 32)
		high, herr := strconv.ParseFloat(hi, 32)
		if !ok || err != nil || herr != nil || !(low < high) {
			return nil, usageError{fmt.Errorf("--pixel-range %s: want two numbers such as 0:1", f.PixelRange)}
		}
		p.Lo, p.Hi = float32(low), float32(high)
	case known:
		p.Lo, p.Hi = r[0], r[1]
	case name != "":
		return nil, usageError{fmt.Errorf("%s: its metadata say pixels are %.80q: give --pixel-range", path, name)}
	}
	if f.Channels == "auto" {
		switch format := about(pixelFormat); format {
		case "", "rgb8", "gray8":
		case "bgr8":
			p.Reversed = true
		default:
			return nil, usageError{fmt.Errorf("%s: its metadata say pixels are %.80q: want Gray8, Rgb8 or Bgr8, or --channels", path, format)}
		}
	}
	if about(pixelGamma) == "linear" {
		e.warn(fmt.Sprintf("%s: its metadata say pixels are linear: they are fed as the images have them", path))
	}
	prepared, err := graph.Prepare(g, p)
	if err != nil {
		return nil, usageError{fmt.Errorf("%s: %w", path, err)}
	}
	return prepared, nil
}

// addTo adds those flags that are not as they are by default.
func (f *fileFlags) addTo(add func(flag, value string)) {
	text := func(flag, value, usual string) {
		if value != usual {
			add(flag, value)
		}
	}
	numbers := func(flag string, list []float32) {
		var words []string
		for _, v := range list {
			words = append(words, strconv.FormatFloat(float64(v), 'g', -1, 32))
		}
		text(flag, strings.Join(words, ","), "")
	}
	text("--labels", f.Labels, "")
	text("--resize", f.Resize, "none")
	text("--data-layout", f.DataLayout, "auto")
	if f.FixBatch != 0 {
		add("--fix-batch", fmt.Sprint(f.FixBatch))
	}
	for _, in := range f.Input {
		add("--input", in)
	}
	numbers("--mean", f.Mean)
	numbers("--std", f.Std)
	text("--pixel-range", f.PixelRange, "")
	text("--channels", f.Channels, "auto")
	text("--layout", f.Layout, "chw")
}

// ofFile says whether a flag of addTo is about reading the network, rather than about images.
func ofFile(flag string) bool { return flag == "--fix-batch" || flag == "--input" }

// ofImages are the flags given that are about images.
func (f *fileFlags) ofImages() (flags []string) {
	f.addTo(func(flag, _ string) {
		if !ofFile(flag) {
			flags = append(flags, flag)
		}
	})
	return flags
}

// check refuses flags that would be of no effect: those about a file's network with a
// built-in one, and those about --data without it.
func (f *fileFlags) check(model, data string) (err error) {
	f.addTo(func(flag, _ string) {
		ofData := flag == "--labels" || flag == "--resize" || flag == "--data-layout"
		switch {
		case err != nil:
		case ofData && data == "":
			err = usageError{fmt.Errorf("%s goes with --data", flag)}
		case !ofData && !isFile(model):
			err = usageError{fmt.Errorf("%s is about a network in a file: %s is built in", flag, model)}
		}
	})
	return err
}
