package train

import "math"

// Optimizer moves weights against their gradients. Its methods must not be called
// at the same time.
type Optimizer interface {
	// Update moves the weights by one step at a learning rate.
	Update(params []*Param, rate float64)
	// State is what the optimizer remembers, by name: the slices themselves, for a
	// checkpoint to write and to read into. It is empty before the first Update of
	// params, or what Prepare made.
	State() State
	// Prepare makes the state for params, all 0, without moving them.
	Prepare(params []*Param)
}

// SGD is stochastic gradient descent with Nesterov's momentum:
//
//	g = Grad + Decay·W; v = Momentum·v + g; W -= rate·(g + Momentum·v)
type SGD struct {
	Momentum float64 // 0 to below 1
	Decay    float64 // of those weights that decay
	state    State
}

// State is the velocities.
func (o *SGD) State() State { return o.state }

// Prepare makes velocities of 0.
func (o *SGD) Prepare(params []*Param) { o.state = zeros(params, "velocity") }

// Update moves the weights.
func (o *SGD) Update(params []*Param, rate float64) {
	if o.state == nil {
		o.Prepare(params)
	}
	mu, lr := float32(o.Momentum), float32(rate)
	for _, p := range params {
		decay := float32(0)
		if p.Decay {
			decay = float32(o.Decay)
		}
		v, grad, w := o.state[p.Name+".velocity"], p.Grad[:len(p.W)], p.W
		for i, x := range w {
			g := grad[i] + decay*x
			v[i] = mu*v[i] + g
			w[i] = x - lr*(g+mu*v[i])
		}
		p.clip()
	}
}

// Adam is Adam with decoupled weight decay (Loshchilov and Hutter, Decoupled Weight
// Decay Regularization, 2019):
//
//	m = Beta1·m + (1−Beta1)·Grad; v = Beta2·v + (1−Beta2)·Grad²
//	W -= rate·(m/(1−Beta1ᵗ) / (√(v/(1−Beta2ᵗ)) + Epsilon) + Decay·W)
type Adam struct {
	Beta1, Beta2 float64 // 0 to below 1
	Epsilon      float64 // above 0
	Decay        float64 // of those weights that decay
	state        State
}

// State is the moments, and the number of steps.
func (o *Adam) State() State { return o.state }

// Prepare makes moments of 0.
func (o *Adam) Prepare(params []*Param) {
	o.state = zeros(params, "m", "v")
	o.state["steps"] = make([]float32, 1)
}

// Update moves the weights.
func (o *Adam) Update(params []*Param, rate float64) {
	if o.state == nil {
		o.Prepare(params)
	}
	steps := o.state["steps"]
	steps[0]++ // exact up to 2²⁴; the corrections are 1 long before
	t := float64(steps[0])
	b1, b2 := float32(o.Beta1), float32(o.Beta2)
	step := float32(rate / (1 - math.Pow(o.Beta1, t)))
	root := float32(1 / math.Sqrt(1-math.Pow(o.Beta2, t)))
	eps := float32(o.Epsilon)
	for _, p := range params {
		keep := float32(1)
		if p.Decay {
			keep = float32(1 - rate*o.Decay)
		}
		m, v, grad, w := o.state[p.Name+".m"], o.state[p.Name+".v"], p.Grad[:len(p.W)], p.W
		for i, x := range w {
			g := grad[i]
			m[i] = b1*m[i] + (1-b1)*g
			v[i] = b2*v[i] + (1-b2)*g*g
			w[i] = keep*x - step*m[i]/(root*float32(math.Sqrt(float64(v[i])))+eps)
		}
		p.clip()
	}
}

// clip keeps latent weights where their gradient can still reach them.
func (p *Param) clip() {
	if !p.Latent {
		return
	}
	for i, w := range p.W {
		p.W[i] = min(1, max(-1, w))
	}
}

func zeros(params []*Param, kinds ...string) State {
	s := State{}
	for _, p := range params {
		for _, k := range kinds {
			s[p.Name+"."+k] = make([]float32, len(p.W))
		}
	}
	return s
}
