// Package nn runs networks: graph → plan → run.
//
//	plan, err := nn.Compile(g, nn.Options{})   // layers fused, weights packed for the chosen kernels
//	r := plan.NewRunner(1)                     // one arena a thread
//	err = r.RunPixels(logits, images)          // a batch; allocates nothing
//
// Compile fuses each convolution with what follows it (bias, ReLU, max-pool,
// requantization to int8, or batch norm and sign as a threshold to bits), so
// that an activation is written once, by the kernel, in the form that its
// reader takes: NHWC, packed, inside the halo that the next convolution's
// padding needs. What cannot be fused runs as plain float32 steps.
//
// Images of a batch go through the whole network one after another, in one
// arena that stays in the second-level cache; more threads take more images at
// a time.
package nn
