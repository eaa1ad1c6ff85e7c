package mactree

import (
	"math"

	"macroscope/workload"
)

// Sheet is NVDLA's own estimator, the spreadsheet NVDLA_OpenSource_Performance.xlsx
// of github.com/nvdla/hw (perf/), formula for formula, its conventions
// included: it counts a KiB of traffic as 1000 bytes of bandwidth, and has no
// latency, no weight loading, no filling. It serves to reproduce the vendor's
// figures, and to show what they leave out.
type Sheet struct {
	MACs      int64   // int8 products in a cycle
	BufferKiB float64 // convolution buffer
	DRAMGBs   float64 // at 1 GHz, as everything here: bytes in a cycle
	KernelPad int64   // output channels are rounded up to a multiple of this: 16 or 128, by column of the sheet

	// With a second memory on the chip (CVSRAM) inputs and outputs pass
	// through it, each way at SRAMGBs; without, SRAMGBs is 0.
	SRAMGBs float64

	// Winograd computes 3×3 layers of stride 1 by 1/2.25 of the products. The
	// weights then take 16 words instead of 9.
	Winograd bool

	FCBatch int64 // images for which the weights of a dense layer are fetched once
}

// SheetLayer is what the sheet must know of a layer beyond its shape.
type SheetLayer struct {
	Addition  bool    // a second tensor of the output's size is added to the output
	OutputKiB float64 // after pooling
	FromDRAM  bool    // with a second memory: the inputs are not in it
	ToDRAM    bool    // with a second memory: the outputs are written to DRAM also
}

// SheetTime is the sheet's result for a layer, in cycles. Max is the time.
type SheetTime struct {
	DRAMKiB                         float64
	DRAM, SRAMRead, SRAMWrite, MACs int64
	Max                             int64
}

func pad(n, to int64) int64 { return ceil(n, to) * to }

// cycles is the time of some KiB at a bandwidth in GB/s.
func cycles(kib, gbs float64) int64 { return int64(math.Ceil(kib * 1000 / gbs)) }

// Layer works out a layer.
func (s *Sheet) Layer(l *workload.Layer, x SheetLayer) SheetTime {
	var t SheetTime
	c, k := int64(l.C), int64(l.OutC)
	r, q := int64(l.KH), int64(l.KW)
	h, w := int64(l.H), int64(l.W)
	stride := max(int64(l.StrideH), 1)
	p, o := l.OutSize()
	if l.Kind == workload.Gemm {
		c, k, r, q, h, w, p, o, stride = l.K, l.N, 1, 1, 1, 1, 1, 1, 1
	}
	c /= l.GroupCount()
	// An image's channels are padded to four, any other layer's to 16.
	stored := pad(c, 16)
	if c <= 4 {
		stored = 4
	}
	dense := l.Kind == workload.Gemm
	wino := s.Winograd && !dense && r == 3 && q == 3 && stride == 1

	// Time on the multipliers; a dense layer's channels are not padded.
	kernels := pad(k/l.GroupCount(), s.KernelPad) * l.GroupCount()
	if dense {
		kernels = k
	}
	products := float64(stored) * float64(p*o) * float64(kernels) * float64(r*q)
	if wino {
		products /= 2.25
	}
	t.MACs = int64(math.Ceil(products / float64(s.MACs)))

	const kib = 1024
	input := float64(stored*l.GroupCount()*h*w) / kib
	// A kernel is cut to the stride: its sides are padded to a multiple of it.
	taps := pad(r, stride) * pad(q, stride)
	whole := taps
	if wino {
		whole = 16
	}
	weights := float64(stored*whole*k) / kib
	fewest := float64(32*stored*taps) / kib
	if dense && s.FCBatch > 1 {
		weights /= float64(s.FCBatch)
	}
	moved := x.OutputKiB
	if x.Addition {
		moved *= 2
	}
	if s.SRAMGBs > 0 {
		t.DRAMKiB = weights
		if x.FromDRAM {
			t.DRAMKiB += input
		}
		if !x.FromDRAM || dense { // a dense layer's inputs are counted on both ways
			t.SRAMRead = cycles(input, s.SRAMGBs)
		}
		if x.ToDRAM {
			t.DRAMKiB += x.OutputKiB
		}
		t.SRAMWrite = cycles(x.OutputKiB, s.SRAMGBs)
	} else {
		t.DRAMKiB = input + weights + moved
		// What is smaller stays in the buffer; if that does not fit beside the
		// least of the other, it is cut and the other fetched for each part.
		rows := float64(stored*l.GroupCount()*w*pad(r, stride)) / kib
		if weights < input {
			t.DRAMKiB += input * (math.Ceil(weights/(s.BufferKiB-rows)) - 1)
		} else {
			t.DRAMKiB += weights * (math.Ceil(input/(s.BufferKiB-fewest)) - 1)
		}
	}
	t.DRAM = cycles(t.DRAMKiB, s.DRAMGBs)
	t.Max = max(t.DRAM, t.SRAMRead, t.SRAMWrite, t.MACs)
	return t
}
