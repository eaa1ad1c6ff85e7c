// Package train trains a network in float32, or with weights and activations
// binarized on the fly, on the project's own kernels.
//
//	net, err := train.New(g, train.Options{Batch: 128, Threads: 2})
//	defer net.Close()
//	loss, err := net.Step(images, labels)   // forward, backward: gradients of the mean loss
//	opt.Update(net, rate)                   // weights move
//	trained := net.Graph()                  // for package nn, or a file
//
// A network is any graph.Graph of convolutions, dense layers, batch norms, ReLU,
// Sign, max-pools, global average pools and sums. A convolution whose weights are
// marked Binary trains float weights behind their signs (straight-through
// estimator), and a Sign passes its gradient where its input is near zero.
//
// On one CPU results depend on the seed and the number of threads alone: images are dealt to
// threads in a fixed way and their sums added in a fixed order. Other CPUs have other kernels,
// and a teacher's algorithms are chosen by the CPU and its cache (kernels.Impl.WinogradFor).
package train
