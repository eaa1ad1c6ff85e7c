package bench

import (
	"strings"
	"testing"
	"time"

	"macroscope/models"
)

// The benchmarks are the cases of "macroscope bench". A case with a peak runs
// that right after itself, so that %peak compares the same moment.

func BenchmarkPeak(b *testing.B) {
	c, err := PeakThreadsCases()
	runCases(b, append(PeakCases(), c...), err)
}
func BenchmarkDot(b *testing.B)  { runCases(b, DotCases(), nil) }
func BenchmarkTile(b *testing.B) { c, err := TileCases(); runCases(b, c, err) }
func BenchmarkGemm(b *testing.B) { c, err := GemmCases(); runCases(b, c, err) }
func BenchmarkConv(b *testing.B) { c, err := ConvCases(models.Names()[0]); runCases(b, c, err) }
func BenchmarkBitSerial(b *testing.B) {
	c, err := BitSerialCases(models.Names()[0])
	runCases(b, c, err)
}
func BenchmarkLayers(b *testing.B) {
	c, err := LayerCases(builtin(b), "")
	runCases(b, c, err)
}
func BenchmarkNetwork(b *testing.B) {
	c, err := NetworkCases(builtin(b))
	runCases(b, c, err)
}

func runCases(b *testing.B, cases []Case, err error) {
	if err != nil {
		b.Fatal(err)
	}
	peaks := map[string]Case{}
	for _, c := range PeakCases() {
		peaks[c.Name] = c
	}
	for _, c := range flat(cases) {
		_, name, _ := strings.Cut(c.Name, "/")
		b.Run(name, func(b *testing.B) {
			if c.Bytes > 0 && c.Measure == nil {
				b.SetBytes(c.Bytes)
			}
			if c.Prepare != nil {
				notices, err := c.Prepare(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				for _, n := range notices {
					b.Log(n)
				}
			}
			b.ResetTimer()
			seconds := 0.0 // of one iteration
			if c.Measure != nil {
				m := c.Measure(func(run func(int)) float64 {
					start := time.Now()
					run(b.N)
					return float64(time.Since(start).Nanoseconds()) / float64(b.N)
				})
				seconds = max(m.NS, 1e-3) / 1e9
				b.ReportMetric(m.NS, "ns/op")
				if c.Bytes > 0 {
					b.ReportMetric(float64(c.Bytes)/seconds/1e6, "MB/s") // of m.NS, not of all that Measure does
				}
				for _, m := range m.Extra {
					b.ReportMetric(m.Value, m.Unit)
				}
			} else {
				for b.Loop() {
					c.Run(1)
				}
				seconds = b.Elapsed().Seconds() / float64(b.N)
			}
			perSecond := func(v float64) float64 { return v / seconds }
			if c.MACs > 0 {
				b.ReportMetric(perSecond(c.MACs)/1e9, GMACPerSecond)
			}
			if c.Images > 0 {
				b.ReportMetric(perSecond(c.Images), ImagesPerSecond)
			}
			for _, m := range c.Extra {
				b.ReportMetric(m.Value, m.Unit)
			}
			if p, ok := peaks[c.Peak]; ok {
				const rounds = 200
				start := time.Now()
				p.Run(rounds)
				b.ReportMetric(100*perSecond(c.MACs)/(p.MACs*rounds/time.Since(start).Seconds()), PercentOfPeak)
			}
		})
	}
}

// flat makes a case of each part: one benchmark, which measures all parts and
// reports the one.
func flat(cases []Case) (list []Case) {
	for _, c := range cases {
		for i, part := range c.Parts {
			part.Measure = func(time func(func(int)) float64) Measured { return c.Measure(time).Parts[i] }
			list = append(list, part)
		}
		list = append(list, c)
	}
	return list
}
