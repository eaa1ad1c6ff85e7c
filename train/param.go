package train

// Param is a tensor of weights that training moves.
type Param struct {
	Name string    // "conv1.weight"
	W    []float32 // the values; a convolution's are [OutC][KH][KW][InC]
	Grad []float32 // of the mean loss, after Step
	// Decay says whether weight decay applies: to the weights of layers, not to
	// biases and batch norms.
	Decay bool
	// Latent says that W stands behind its signs: optimizers keep it in −1…1.
	Latent bool
}

func newParam(name string, n int) *Param {
	return &Param{Name: name, W: make([]float32, n), Grad: make([]float32, n)}
}

// sumThreads writes the sum of the threads' gradients, in their order, to p.Grad
// and clears them.
func (p *Param) sumThreads(parts [][]float32) {
	copy(p.Grad, parts[0])
	clear(parts[0])
	for _, part := range parts[1:] {
		for i, x := range part {
			p.Grad[i] += x
		}
		clear(part)
	}
}
