package train

import (
	"fmt"
	"math"
)

// Loss is the cross-entropy of the logits' softmax with the image's class.
type Loss struct {
	// Smoothing is the share of the target that is spread evenly over all classes,
	// 0 to below 1 (Szegedy et al., Rethinking the Inception Architecture, 2016).
	Smoothing float64
	// Teacher, if not nil, gives a trained network's logits for an image of the batch
	// (input values in [C H W]); goroutine thread, 0 to Threads−1, asks. The loss is then
	//
	//	(1−Share)·cross-entropy + Share·T²·KL(softmax(teacher/T) ‖ softmax(logits/T))
	//
	// (Hinton et al., Distilling the Knowledge in a Neural Network, 2015).
	Teacher     func(thread int, image, logits []float32) error
	Share       float64 // 0 to 1
	Temperature float64 // T, above 0
}

func (l *Loss) check(classes int) error {
	switch {
	case classes < 2:
		return fmt.Errorf("%d logits: want at least 2 classes", classes)
	case !(l.Smoothing >= 0 && l.Smoothing < 1):
		return fmt.Errorf("label smoothing %v: want 0 to below 1", l.Smoothing)
	case l.Teacher != nil && !(l.Share >= 0 && l.Share <= 1 && l.Temperature > 0):
		return fmt.Errorf("teacher's share %v, temperature %v: want 0 to 1 and above 0", l.Share, l.Temperature)
	}
	return nil
}

// lossOp ends the network: forward it finds the loss, and at once the gradient of
// the logits, so that backward is nothing.
type lossOp struct {
	Loss
	in     *value
	input  *inputOp
	images int // of the batch
	parts  []lossPart
}

// lossPart is a thread's.
type lossPart struct {
	sum       float64
	correct   int
	p, q      []float64
	taught    []float32
	targetErr error
}

func newLossOp(l Loss, in *value, input *inputOp, threads int) *lossOp {
	o := &lossOp{Loss: l, in: in, input: input}
	n := in.data.C
	for range threads {
		o.parts = append(o.parts, lossPart{p: make([]float64, n), q: make([]float64, n), taught: make([]float32, n)})
	}
	return o
}

func (o *lossOp) forward(t *thread, img int) {
	part := &o.parts[t.id]
	logits, grad := o.in.data.row(img, 0), o.in.grad.row(img, 0)
	class, n := o.input.class[img], len(logits)
	if class < 0 || class >= n {
		part.fail(fmt.Errorf("class %d of image %d: want 0 to %d", class, img, n-1))
		return
	}
	if argmax(logits) == class {
		part.correct++
	}
	hard := 1.0
	if o.Teacher != nil {
		hard = 1 - o.Share
	}
	logSum := softmax(part.p, logits, 1)
	even := o.Smoothing / float64(n)
	for c, x := range logits {
		target := even
		if c == class {
			target += 1 - o.Smoothing
		}
		part.sum += hard * target * (logSum - float64(x))
		grad[c] = float32(hard * (part.p[c] - target) / float64(o.images))
	}
	if o.Teacher == nil {
		return
	}
	if err := o.Teacher(t.id, o.input.image(t, img), part.taught); err != nil {
		part.fail(err)
		return
	}
	temp := o.Temperature
	logSum = softmax(part.p, logits, temp)
	logTaught := softmax(part.q, part.taught, temp)
	for c, q := range part.q {
		part.sum += o.Share * temp * temp * q * ((float64(part.taught[c])/temp - logTaught) - (float64(logits[c])/temp - logSum))
		grad[c] += float32(o.Share * temp * (part.p[c] - q) / float64(o.images))
	}
}

func (o *lossOp) backward(*thread, int) {}

func (o *lossOp) touches() []*value { return []*value{o.in} }

func (p *lossPart) fail(err error) {
	if p.targetErr == nil {
		p.targetErr = err
	}
}

// total is the batch's mean loss and number of right answers.
func (o *lossOp) total() (loss float64, correct int, err error) {
	for i := range o.parts {
		p := &o.parts[i]
		loss, correct = loss+p.sum, correct+p.correct
		if err == nil {
			err = p.targetErr
		}
		p.sum, p.correct, p.targetErr = 0, 0, nil
	}
	return loss / float64(o.images), correct, err
}

// softmax writes softmax(x/temperature) to p and returns the logarithm of its
// denominator.
func softmax(p []float64, x []float32, temperature float64) float64 {
	top := math.Inf(-1)
	for _, v := range x {
		top = max(top, float64(v)/temperature)
	}
	sum := 0.0
	for i, v := range x {
		p[i] = math.Exp(float64(v)/temperature - top)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return top + math.Log(sum)
}

func argmax(x []float32) (best int) {
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}
