package streaming

import "testing"

// TestActions by hand: 3×3 of 2 to 4 channels on 4×4, PE 2, SIMD 2, all of one bit. 4
// outputs of 4 channels of 18 products; 4·2·9 = 72 steps. A sum of 18 has 6 bits. In a
// step 2 adders of two bits and 2 accumulators of 6; at the end 16 comparisons of 6.
func TestActions(t *testing.T) {
	l := Layer{Name: "l", H: 4, W: 4, C: 2, OutC: 4, KH: 3, KW: 3, StrideH: 1, StrideW: 1, InBits: 1, WeightBits: 1, OutBits: 1}
	want := Actions{Products: 288, Selects: 288, AddBits: 72*(2*2+2*6) + 16*6, RegisterBits: 72 * (2 + 4 + 12), WeightBits: 72 * 4, WindowBits: 32 + 4*18, FIFOBits: 32}
	if got := l.Actions(Fold{2, 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	// Operands of 4 and 8 bits: half a product of 8 by 8 each.
	l.InBits, l.WeightBits = 4, 8
	if got := l.Actions(Fold{2, 2}); got.Selects != 0 || got.MultiplyMAC != 144 || got.WeightBits != 8*288 {
		t.Errorf("%+v", got)
	}
	// Another folding does the same products with the same weights, with fewer steps.
	if got := l.Actions(Fold{4, 18}); got.Products != 288 || got.WeightBits != 8*288 || got.AddBits >= l.Actions(Fold{2, 2}).AddBits {
		t.Errorf("%+v", got)
	}
	pool := Layer{Name: "p", Pool: true, H: 4, W: 4, C: 2, KH: 2, KW: 2, InBits: 3, OutBits: 3}
	if got := pool.Actions(Fold{}); got != (Actions{AddBits: 32 * 3, FIFOBits: 2 * 8 * 3}) {
		t.Errorf("pool %+v", got)
	}
}
