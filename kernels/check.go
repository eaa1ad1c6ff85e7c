package kernels

// The Check functions say of a convolution what the New function of that name would say,
// and how many bytes its WeightBytes would be, without laying anything out: tables have
// some numbers for each output pixel and weights are copied, so that a plan which is only
// looked at does better without them. Weights are given by their number.

// TableBytes is about what a convolution takes beside its weights for each pixel of its
// sums: two places, and what stands in for them while they are put in order.
const TableBytes = 32

// CheckConv is NewConv's; words of weights.
func CheckConv(im *Impl, spec ConvSpec, words int) (weightBytes int, err error) {
	_, err = newConv(im, spec, words)
	return 4 * words, err
}

// CheckGrouped is NewGrouped's; words of weights.
func CheckGrouped(im *Impl, spec ConvSpec, groups, words int) (weightBytes int, err error) {
	_, err = newGrouped(im, spec, groups, words)
	return 4 * words, err
}

// CheckDepthwise is that of NewDepthwiseFloat32 and of NewDepthwiseInt8, and gives the
// implementation whose loop will run.
func CheckDepthwise(im *Impl, spec ConvSpec, weights int) (by *Impl, weightBytes int, err error) {
	d, err := newDepthwise(im, spec, weights)
	if err != nil {
		return nil, 0, err
	}
	return d.Impl(), weights * spec.In.DType.Bits() / 8, nil
}

// CheckWinograd is NewWinograd's; single weights.
func CheckWinograd(im *Impl, spec ConvSpec, weights, m int) (weightBytes int, err error) {
	w, err := newWinograd(im, spec, weights, m)
	if err != nil {
		return 0, err
	}
	return w.WeightBytes(), nil
}

// CheckWinogradInt8 is NewWinogradInt8's, whose bounds depend on the weights; the order of
// those of a filter does not matter.
func CheckWinogradInt8(im *Impl, spec ConvSpec, weights []int8, m int) (weightBytes int, err error) {
	w, err := newWinogradInt8(im, spec, weights, m)
	if err != nil {
		return 0, err
	}
	return w.WeightBytes(), nil
}

// CheckBitSerial is NewBitSerial's, whose bytes depend on the weights, and gives its Factor.
func CheckBitSerial(im *Impl, spec ConvSpec, l Levels, w []int8) (weightBytes int, factor int32, err error) {
	b, _, err := newBitSerial(im, spec, l, w)
	if err != nil {
		return 0, 0, err
	}
	return b.WeightBytes(), b.Factor(), nil
}
