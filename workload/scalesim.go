package workload

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"macroscope/internal/regular"
)

// SCALE-Sim's columns, in order, as errors name them.
var (
	convColumns = []string{"IFMAP Height", "IFMAP Width", "Filter Height", "Filter Width", "Channels", "Num Filter", "Strides", "Strides (columns)"}
	gemmColumns = []string{"M", "N", "K"}
)

// maxLine bounds one line of a topology file, in bytes.
const maxLine = 64 << 10

// ReadSCALESim reads a SCALE-Sim topology, of convolutions (name, IFMAP
// height and width, filter height and width, channels, number of filters,
// stride or two strides) or of matrix products (name, M, N, K). A last column N:M may
// say that weights are dense, as 1:1. The trailing
// comma that SCALE-Sim insists on may be missing; blank lines and spaces are
// skipped; the heading may be missing. Sizes are taken as given: the format
// has no padding, so the IFMAP is the padded one.
//
// As in SCALE-Sim a name with "DP" in it is a depthwise convolution: every
// channel by itself, Num Filter outputs each.
//
// The layers' DType is float32, the zero value; see Workload.WithDType. name
// is for messages, "name:line: field: what was expected". Reading stops with
// an error at MaxLayers layers.
func ReadSCALESim(name string, r io.Reader) (Workload, error) {
	base := filepath.Base(name)
	w := Workload{Name: strings.TrimSuffix(base, filepath.Ext(base))}
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 0, 4096), maxLine)
	line, headed, total := 0, false, int64(0)
	for sc.Scan() {
		line++
		text := sc.Text()
		if line == 1 {
			text = strings.TrimPrefix(text, "\ufeff")
		}
		fields := splitRow(text)
		if len(fields) == 0 {
			continue
		}
		if !headed && len(w.Layers) == 0 && isHeading(fields) {
			headed = true // a second heading is an error
			continue
		}
		l, err := parseRow(fields)
		if err == nil {
			err = l.validate()
		}
		if err == nil && len(w.Layers) > 0 && w.Layers[0].Kind != l.Kind {
			err = errors.New("convolutions and M, N, K rows in one file: want one kind")
		}
		if err == nil && len(w.Layers) == MaxLayers {
			err = fmt.Errorf("more than %d layers", MaxLayers)
		}
		if err == nil {
			if total += l.MACs(); total > MaxTotal {
				err = fmt.Errorf("more than %d multiply-accumulates in all", int64(MaxTotal))
			}
		}
		if err != nil {
			return Workload{}, fmt.Errorf("%s:%d: %w", name, line, err)
		}
		if l.Name == "" {
			l.Name = fmt.Sprintf("layer%d", len(w.Layers)+1)
		}
		w.Layers = append(w.Layers, l)
	}
	switch err := sc.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return Workload{}, fmt.Errorf("%s:%d: line longer than %d bytes", name, line+1, maxLine)
	case err != nil:
		return Workload{}, fmt.Errorf("%s: %w", name, err)
	}
	if len(w.Layers) == 0 {
		return Workload{}, fmt.Errorf("%s: no layers: want rows of name, %s or name, %s", name,
			strings.Join(convColumns[:7], ", "), strings.Join(gemmColumns, ", "))
	}
	return w, nil
}

// LoadSCALESim reads a topology file.
func LoadSCALESim(path string) (Workload, error) {
	f, err := regular.Open(path)
	if err != nil {
		return Workload{}, err
	}
	defer f.Close()
	return ReadSCALESim(path, f)
}

// splitRow cuts a line into trimmed fields without the empty ones at the end.
func splitRow(s string) []string {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	fields := strings.Split(s, ",")
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	for len(fields) > 0 && fields[len(fields)-1] == "" {
		fields = fields[:len(fields)-1]
	}
	return fields
}

// isHeading tells a heading by its second field, which is no number.
func isHeading(fields []string) bool {
	if len(fields) < 2 {
		return false
	}
	c := fields[1]
	return c != "" && !strings.ContainsAny(c[:1], "0123456789+-.")
}

func parseRow(fields []string) (Layer, error) {
	l := Layer{Name: fields[0]}
	values := fields[1:]
	if n := len(values); (n > 7 || n == len(gemmColumns)+1) && strings.Contains(values[n-1], ":") {
		if err := checkDense(values[n-1]); err != nil {
			return l, err
		}
		values = values[:n-1]
	}
	if len(values) == len(gemmColumns) {
		l.Kind = Gemm
		for i, dst := range []*int64{&l.M, &l.N, &l.K} {
			v, err := parseSize(gemmColumns[i], values[i], MaxGemm)
			if err != nil {
				return l, err
			}
			*dst = v
		}
		return l, nil
	}
	if len(values) != 7 && len(values) != 8 {
		return l, fmt.Errorf("%d fields after the name: want %d (%s), one more for a second stride, or %d (%s)",
			len(values), 7, strings.Join(convColumns[:7], ", "), len(gemmColumns), strings.Join(gemmColumns, ", "))
	}
	var filters int
	for i, dst := range []*int{&l.H, &l.W, &l.KH, &l.KW, &l.C, &filters, &l.StrideH, &l.StrideW}[:len(values)] {
		limit := int64(MaxDim)
		if i >= 6 {
			limit = MaxStride
		}
		v, err := parseSize(convColumns[i], values[i], limit)
		if err != nil {
			return l, err
		}
		*dst = int(v)
	}
	if len(values) == 7 {
		l.StrideW = l.StrideH
	}
	l.OutC = filters
	if strings.Contains(l.Name, "DP") {
		l.Groups = l.C
		out, ok := mulMax(MaxDim, int64(l.C), int64(filters))
		if !ok {
			return l, fmt.Errorf("column Num Filter %d of each of %d depthwise channels: want at most %d outputs", filters, l.C, MaxDim)
		}
		l.OutC = int(out)
	}
	return l, nil
}

func parseSize(column, s string, limit int64) (int64, error) {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || v < 1 || v > limit {
		return 0, fmt.Errorf("%s %q: want a whole number from 1 to %d", column, s, limit)
	}
	return v, nil
}

// checkDense accepts the optional last column N:M only where it says that the
// weights are dense.
func checkDense(s string) error {
	n, m, _ := strings.Cut(s, ":")
	a, err1 := strconv.Atoi(strings.TrimSpace(n))
	b, err2 := strconv.Atoi(strings.TrimSpace(m))
	if err1 != nil || err2 != nil || a < 1 || b < 1 {
		return fmt.Errorf("column Sparsity %q: want N:M", s)
	}
	if a != b {
		return fmt.Errorf("column Sparsity %q: want dense weights (such as 1:1), sparsity is not modelled", s)
	}
	return nil
}

// WriteSCALESim writes a topology that SCALE-Sim and ReadSCALESim read:
// padded IFMAP sizes, a comma at each line's end. Where every layer is a Gemm
// the M, N, K form is written, otherwise a Gemm becomes a 1×1 convolution on
// an M×1 image. A depthwise convolution gets "DP" into its name, another
// grouped one is written group by group. Where a layer's two strides differ, all rows have
// both, which SCALE-Sim v2 reads and v3 takes for a sparsity. Number formats are lost. skipped
// names the layers without multiply-accumulates, which the format cannot
// hold; a dilation or a batch of convolutions is an error.
func WriteSCALESim(out io.Writer, w *Workload) (skipped []string, err error) {
	if err := w.Validate(); err != nil {
		return nil, err
	}
	allGemm, twoStrides := true, false
	for i := range w.Layers {
		l := &w.Layers[i]
		switch l.Kind {
		case Other:
			skipped = append(skipped, l.Name)
		case Conv:
			allGemm = false
			twoStrides = twoStrides || one(l.StrideH) != one(l.StrideW)
			if one(l.DilationH) != 1 || one(l.DilationW) != 1 {
				return nil, fmt.Errorf("layer %q: dilation %d×%d: want 1, a SCALE-Sim topology has no other", l.Name, one(l.DilationH), one(l.DilationW))
			}
			if one(l.Batch) != 1 {
				return nil, fmt.Errorf("layer %q: batch %d: want 1, a SCALE-Sim topology has no other", l.Name, l.Batch)
			}
		}
	}
	b := bufio.NewWriter(out)
	if allGemm {
		fmt.Fprintln(b, "Layer, M, N, K,")
	} else {
		fmt.Fprint(b, "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,")
		if twoStrides {
			fmt.Fprint(b, " Strides (columns),")
		}
		fmt.Fprintln(b)
	}
	row := func(name string, v ...int64) {
		fmt.Fprint(b, name)
		for _, x := range v {
			fmt.Fprintf(b, ", %d", x)
		}
		fmt.Fprintln(b, ",")
	}
	conv := func(name string, h, w, kh, kw, c, n, sh, sw int64) {
		if twoStrides {
			row(name, h, w, kh, kw, c, n, sh, sw)
			return
		}
		row(name, h, w, kh, kw, c, n, sh)
	}
	for i := range w.Layers {
		l := &w.Layers[i]
		name := plainName(l.Name)
		if l.Kind == Other {
			continue
		}
		if l.Kind == Gemm {
			if allGemm {
				row(name, l.M, l.N, l.K)
			} else {
				conv(name, l.M, 1, 1, 1, l.K, l.N, 1, 1)
			}
			continue
		}
		h := int64(l.H + l.PadTop + l.PadBottom)
		wd := int64(l.W + l.PadLeft + l.PadRight)
		g := one(l.Groups)
		c, n := int64(l.C)/g, int64(l.OutC)/g
		sh, sw := one(l.StrideH), one(l.StrideW)
		switch {
		case g == 1:
			conv(name, h, wd, int64(l.KH), int64(l.KW), c, n, sh, sw)
		case c == 1:
			conv("DP"+name, h, wd, int64(l.KH), int64(l.KW), int64(l.C), n, sh, sw)
		default:
			for j := range g {
				conv(fmt.Sprintf("%s_group%d", name, j), h, wd, int64(l.KH), int64(l.KW), c, n, sh, sw)
			}
		}
	}
	return skipped, b.Flush()
}

// plainName makes a layer's name safe in a topology: no separators, and no
// "DP", which would make the layer depthwise.
func plainName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == ',' || r < ' ' {
			return '_'
		}
		return r
	}, strings.TrimSpace(s))
	return strings.ReplaceAll(s, "DP", "Dp")
}
