package numeric

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"macroscope/dataset"
)

// batch is how many images are read at a time.
const batch = 64

// Classes gives the class that the network sees in each image of a set, the first of equal
// maxima, and the set's labels. It stops when ctx ends. progress may be nil.
func (n *Network) Classes(ctx context.Context, set *dataset.Set, threads int, progress func(done, of int)) (classes, labels []int32, err error) {
	if n.input != set.Size() || n.output != set.Classes() {
		return nil, nil, fmt.Errorf("the network turns %d values into %d: %s has images of %d and %d classes", n.input, n.output, set.Name(), set.Size(), set.Classes())
	}
	runners := make([]*Runner, min(max(threads, 1), batch))
	for i := range runners {
		runners[i] = n.NewRunner()
	}
	var images dataset.Batch
	for from := 0; from < set.Len(); from += batch {
		some := min(batch, set.Len()-from)
		if err := set.Read(&images, from, some); err != nil {
			return nil, nil, err
		}
		seen := make([]int32, some)
		var next atomic.Int64
		var group sync.WaitGroup
		for _, r := range runners {
			group.Go(func() {
				image := make([]float32, n.input)
				for i := int(next.Add(1)) - 1; i < some && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
					if set.Floats() {
						copy(image, images.Floats[i*n.input:])
					} else {
						for j, v := range images.Bytes[i*n.input:][:n.input] {
							image[j] = float32(v)
						}
					}
					logits, err := r.Run(image)
					if err != nil {
						panic(err) // the sizes were looked at
					}
					seen[i] = first(logits)
				}
			})
		}
		group.Wait()
		if err := context.Cause(ctx); err != nil {
			return nil, nil, err
		}
		classes, labels = append(classes, seen...), append(labels, images.Labels...)
		if progress != nil {
			progress(len(classes), set.Len())
		}
	}
	return classes, labels, nil
}

// first is the place of the largest value, the first of equal ones.
func first(v []float32) int32 {
	best := 0
	for i, x := range v {
		if x > v[best] {
			best = i
		}
	}
	return int32(best)
}

// Agree counts the places in which two lists are equal.
func Agree(a, b []int32) (n int) {
	for i, v := range a {
		if v == b[i] {
			n++
		}
	}
	return n
}
