package train

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/kernels"
)

// hashNoise is noise of testdata/step.py: n numbers in −1…1.
func hashNoise(n, salt int) []float64 {
	v := make([]float64, n)
	for i := range v {
		h := uint32((uint64(i)+uint64(salt)<<20)*2654435761 + 12345)
		h ^= h >> 15
		h *= 2246822519
		h ^= h >> 13
		v[i] = float64(h>>8)/(1<<23) - 1
	}
	return v
}

// goldenStep is testdata/step.json, made by testdata/step.py.
type goldenStep struct {
	Framework string
	Salt      int // of the images
	Loss      float64
	Grads     map[string][]float64 // some of each
	Norms     map[string]float64
	Weights   map[string][]float64 // after the step, some of each
	Stats     map[string][]float64
}

// goldenBatch is step.py's number of images.
const goldenBatch = 4

// readGoldenStep is step.json.
func readGoldenStep(t *testing.T) *goldenStep {
	t.Helper()
	data, err := os.ReadFile("testdata/step.json")
	if err != nil {
		t.Fatal(err)
	}
	var g goldenStep
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return &g
}

// goldenNet is the CIFAR-10 network with step.py's weights, and its optimizer.
func goldenNet(t *testing.T, threads int, products kernels.Products) (*Net, *SGD) {
	g, err := CIFAR10CNN(Topology{DType: dtype.Float32, Width: 1}, 1)
	if err != nil {
		t.Fatal(err)
	}
	n := newNet(t, g, Options{Batch: goldenBatch, Threads: threads, Products: products, Loss: Loss{Smoothing: 0.1}})
	set := func(name string, f func(x float64) float64, salt int) {
		for _, p := range n.Params() {
			if p.Name == name {
				for i, x := range hashNoise(len(p.W), salt) {
					p.W[i] = float32(f(x))
				}
			}
		}
	}
	channels := []int{3, 32, 32, 64, 64, 128, 128}
	for i := range 6 {
		scale := float64(float32(2 / math.Sqrt(float64(9*channels[i]))))
		set(fmt.Sprintf("conv%d.weight", i+1), func(x float64) float64 { return x * scale }, i)
		set(fmt.Sprintf("norm%d.gamma", i+1), func(x float64) float64 { return 1 + 0.25*x }, 10+i)
		set(fmt.Sprintf("norm%d.beta", i+1), func(x float64) float64 { return 0.25 * x }, 20+i)
	}
	set("dense.weight", func(x float64) float64 { return x / 32 }, 30)
	set("dense.bias", func(x float64) float64 { return x / 8 }, 31)
	o := &SGD{Momentum: 0.9, Decay: 5e-4}
	o.Prepare(n.Params())
	var names []string
	for _, p := range n.Params() {
		if !withoutEffect(p) {
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	for i, name := range names {
		v := o.State()[name+".velocity"]
		for j, x := range hashNoise(len(v), 40+i) {
			v[j] = float32(x / 64)
		}
	}
	return n, o
}

// withoutEffect says whether p is a bias that a batch norm takes away, which step.py
// does not have.
func withoutEffect(p *Param) bool {
	return strings.HasPrefix(p.Name, "conv") && strings.HasSuffix(p.Name, ".bias")
}

// step runs g's images forward and backward.
func (g *goldenStep) step(n *Net) (float64, error) {
	pixels := hashNoise(goldenBatch*3072, g.Salt)
	loss, _, err := n.Step(goldenBatch, func(i int, dst []float32) int {
		for j := range dst {
			dst[j] = float32(math.Floor((pixels[i*3072+j] + 1) * 127.99))
		}
		return i * 7 % 10
	})
	return loss, err
}

// TestStepIsAnotherFrameworks compares a whole step with JAX's in float64.
func TestStepIsAnotherFrameworks(t *testing.T) {
	want := readGoldenStep(t)
	for _, threads := range []int{1, 3} {
		t.Run(fmt.Sprintf("threads=%d", threads), func(t *testing.T) {
			n, o := goldenNet(t, threads, kernels.Float32Products)
			loss, err := want.step(n)
			if err != nil {
				t.Fatal(err)
			}
			if !(math.Abs(loss-want.Loss) <= 2e-6*want.Loss) {
				t.Errorf("loss %v, %s has %v", loss, want.Framework, want.Loss)
			}
			// Float32 against float64 through six batch norms: of a tensor's root mean square
			// gradients are off by up to 3·10⁻⁵, with the rows of AVX2, AVX-512 and plain Go.
			// That no ReLU and no pool decides otherwise is seen to by step.py.
			params := map[string]*Param{}
			for _, p := range n.Params() {
				if withoutEffect(p) {
					if slices.ContainsFunc(p.Grad, func(g float32) bool { return g != 0 }) {
						t.Errorf("%s: gradient %v, want 0", p.Name, p.Grad)
					}
					continue
				}
				params[p.Name] = p
				norm := 0.0
				for _, g := range p.Grad {
					norm += float64(g) * float64(g)
				}
				norm = math.Sqrt(norm)
				rms := want.Norms[p.Name] / math.Sqrt(float64(len(p.W)))
				if !(math.Abs(norm-want.Norms[p.Name]) <= 2e-5*want.Norms[p.Name]) {
					t.Errorf("%s: gradient's norm %v, want %v", p.Name, norm, want.Norms[p.Name])
				}
				comparePicked(t, p.Name+" gradient", p.Grad, want.Grads[p.Name], 1e-4*rms)
			}
			if len(params) != len(want.Grads) {
				t.Errorf("%d tensors, want %d", len(params), len(want.Grads))
			}
			o.Update(n.Params(), 0.05)
			for name, w := range want.Weights {
				rms := want.Norms[name] / math.Sqrt(float64(len(params[name].W)))
				comparePicked(t, name+" after the step", params[name].W, w, 1e-7+1e-5*rms)
			}
			state := n.Snapshot()
			for name, w := range want.Stats {
				comparePicked(t, name, state[name], w, 1e-6)
			}
		})
	}
}

// TestStepOfBFloat16Products holds the step to that with float32 products: weights of
// the layers that minimal filtering does not suit get gradients that differ, by little;
// nothing else differs. A product is within 2⁻⁸ of itself; we allow as much again, for
// sums that cancel.
func TestStepOfBFloat16Products(t *testing.T) {
	needProducts(t, kernels.BFloat16Products)
	golden := readGoldenStep(t)
	for _, threads := range []int{1, 3} { // of 4 and of 1 or 2 images
		n, _ := goldenNet(t, threads, kernels.Float32Products)
		want, err := golden.step(n)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := goldenNet(t, threads, kernels.BFloat16Products)
		if got, err := golden.step(b); err != nil || got != want {
			t.Errorf("loss %v, %v: want %v", got, err, want)
		}
		for i, p := range n.Params() {
			var diff, norm float64
			for j, g := range p.Grad {
				d := float64(b.Params()[i].Grad[j] - g)
				diff, norm = diff+d*d, norm+float64(g)*float64(g)
			}
			share := math.Sqrt(diff / norm)
			if p.Name == "conv1.weight" || p.Name == "dense.weight" {
				if !(share > 0 && share <= 0x1p-7) {
					t.Errorf("%s: gradients differ by %v of their norm: want above 0, at most 2⁻⁷", p.Name, share)
				}
			} else if diff != 0 {
				t.Errorf("%s: gradients differ by %v of their norm: want none", p.Name, share)
			}
		}
	}
}

// comparePicked compares every so many of got with want.
func comparePicked(t *testing.T, what string, got []float32, want []float64, tol float64) {
	t.Helper()
	if len(want) == 0 {
		t.Errorf("%s: nothing to compare with", what)
		return
	}
	step := max(1, len(got)/64)
	for i, w := range want {
		if g := float64(got[i*step]); !(math.Abs(g-w) <= tol) {
			t.Errorf("%s[%d] = %v, want %v ± %v", what, i*step, g, w, tol)
			return
		}
	}
}
