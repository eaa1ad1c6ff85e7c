package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	stddraw "image/draw"
	_ "image/jpeg" // registers the format
	_ "image/png"
	"io"
	"io/fs"

	"golang.org/x/image/draw"

	"macroscope/internal/regular"
)

const (
	// maxPixels is the largest picture that is decoded to be scaled: photographs have up
	// to 60 million pixels. Decoded it takes 8 bytes a pixel at most.
	maxPixels = 1 << 26
	// maxPicture is the largest file that is read, more than maxPixels can need.
	maxPicture = 1 << 29
)

func readPicture(path string) ([]byte, error) {
	f, err := regular.Open(path)
	if err != nil {
		var pe *fs.PathError // the caller names the path
		if errors.As(err, &pe) {
			return nil, pe.Err
		}
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxPicture+1))
	if err == nil && len(data) > maxPicture {
		err = fmt.Errorf("more than %d bytes: want a picture", maxPicture)
	}
	return data, err
}

// decode reads a PNG or JPEG picture into planes [C][H][W], C 1 (grey) or 3 (red, green,
// blue), as the file has them: without regard to gamma, colour profiles and Exif's
// orientation. JPEG's decoding is not exact to a bit between programs: ours repeats
// subsampled chroma, where libjpeg interpolates.
func decode(dst, data []uint8, shape []int, resize Resize) error {
	c, h, w := shape[0], shape[1], shape[2]
	config, format, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("want a PNG or JPEG file: %w", err)
	}
	switch {
	case resize == NoResize && (config.Width != w || config.Height != h):
		return fmt.Errorf("%d by %d pixels (width by height): the network takes %d by %d; --resize scales", config.Width, config.Height, w, h)
	case config.Width < 1 || config.Height < 1 || config.Width > maxPixels/config.Height:
		return fmt.Errorf("%d by %d pixels: want 1 to %d pixels", config.Width, config.Height, maxPixels)
	}
	im, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("%s: %w", format, err)
	}
	switch im.(type) {
	case *image.Gray16, *image.RGBA64, *image.NRGBA64:
		return errors.New("16 bits a channel: want 8")
	case *image.CMYK:
		return errors.New("CMYK: want grey or RGB")
	}
	if o, ok := im.(interface{ Opaque() bool }); ok && !o.Opaque() {
		return errors.New("transparent pixels: want none")
	}
	rgba := image.NewRGBA(image.Rect(0, 0, im.Bounds().Dx(), im.Bounds().Dy()))
	stddraw.Draw(rgba, rgba.Rect, im, im.Bounds().Min, stddraw.Src)
	if config.Width != w || config.Height != h {
		rgba = scaled(rgba, w, h, resize)
	}
	return planes(dst, rgba, c)
}

// scaled interpolates bilinearly, over as many pixels as fall into one where the picture
// becomes smaller.
func scaled(im *image.RGBA, w, h int, resize Resize) *image.RGBA {
	from := im.Rect
	if resize == Crop {
		fw, fh := from.Dx(), from.Dy()
		if fw*h > fh*w {
			fw = max(1, fh*w/h)
		} else {
			fh = max(1, fw*h/w)
		}
		x, y := (from.Dx()-fw)/2, (from.Dy()-fh)/2
		from = image.Rect(x, y, x+fw, y+fh)
	}
	to := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.BiLinear.Scale(to, to.Rect, im, from, draw.Src, nil)
	return to
}

// planes writes an opaque picture's channels one after the other.
func planes(dst []uint8, im *image.RGBA, channels int) error {
	w, h := im.Rect.Dx(), im.Rect.Dy()
	for y := range h {
		row := im.Pix[y*im.Stride:][:4*w]
		for x := range w {
			px := row[4*x:][:3]
			at := y*w + x
			if channels == 1 {
				if px[0] != px[1] || px[0] != px[2] {
					return fmt.Errorf("pixel %d,%d is %v: the network takes grey pictures", x, y, color.RGBA{px[0], px[1], px[2], 255})
				}
				dst[at] = px[0]
				continue
			}
			dst[at], dst[h*w+at], dst[2*h*w+at] = px[0], px[1], px[2]
		}
	}
	return nil
}
