package numeric

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"macroscope/cifar10"
)

// Classes gives the class that the network sees in each image of a set: the first
// of equal maxima. It stops when ctx ends. progress may be nil.
func (n *Network) Classes(ctx context.Context, set *cifar10.Set, threads int, progress func(done, of int)) ([]uint8, error) {
	if n.input != cifar10.PixelBytes || n.output != cifar10.Classes {
		return nil, fmt.Errorf("the network turns %d values into %d: CIFAR-10 has images of %d and %d classes", n.input, n.output, cifar10.PixelBytes, cifar10.Classes)
	}
	classes := make([]uint8, set.Len())
	var next, done atomic.Int64
	var group sync.WaitGroup
	var lock sync.Mutex // of progress
	for range min(max(threads, 1), set.Len()) {
		group.Go(func() {
			r := n.NewRunner()
			image := make([]float32, cifar10.PixelBytes)
			for i := int(next.Add(1)) - 1; i < set.Len() && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				set.Floats(image, i)
				logits, err := r.Run(image)
				if err != nil {
					panic(err) // the sizes were looked at
				}
				classes[i] = first(logits)
				finished := int(done.Add(1))
				if progress != nil {
					lock.Lock()
					progress(finished, set.Len())
					lock.Unlock()
				}
			}
		})
	}
	group.Wait()
	return classes, context.Cause(ctx)
}

// first is the place of the largest value, the first of equal ones.
func first(v []float32) uint8 {
	best := 0
	for i, x := range v {
		if x > v[best] {
			best = i
		}
	}
	return uint8(best)
}

// Agree counts the places in which two lists are equal.
func Agree(a, b []uint8) (n int) {
	for i, v := range a {
		if v == b[i] {
			n++
		}
	}
	return n
}
