package spatial

import (
	"math/rand/v2"
	"testing"
)

// span is a box of inputs, first and last-plus-one by axis.
type span [axes][2]int64

// seat is what Timeloop remembers of one child: its last box, and the axis (from 1) and
// sign of the last move that counted.
type seat struct {
	box  span
	any  bool
	last int
}

// take is the part of a box that a child is sent, in Timeloop's way.
func (s *seat) take(box span) (sent span, any bool) {
	before := *s
	s.box, s.any, s.last = box, true, 0
	if !before.any {
		return box, true
	}
	sent, moved, last := box, 0, 0
	for i := range box {
		from, to := before.box[i], box[i]
		if from == to {
			continue
		}
		moved++
		switch {
		case from[1] <= to[0] || from[0] >= to[1]:
			moved = axes // nothing in common
		case from[0] < to[0]:
			sent[i][0], last = from[1], i+1
		default:
			sent[i][1], last = from[0], -i-1
		}
	}
	switch {
	case moved == 0:
		return sent, false
	case moved > 1:
		return box, true
	case before.last != 0 && before.last != last:
		return box, true
	}
	s.last = last
	return sent, true
}

func (b *span) words() int64 {
	w := int64(1)
	for _, s := range b {
		w *= s[1] - s[0]
	}
	return w
}

// stepped visits a nest as Timeloop does, with a box for each child of level l, and
// gives what level l sends, what a child is filled with, and how many boxes differ.
func stepped(p *Problem, n *nest, l int) (sent, filled, boxes int64) {
	tile := n.tile[l]
	boxAt := func(at Factors) (b span) {
		w, h := p.axes(&tile)
		x, y := at[P]*p.StrideP+at[R]*p.DilationR, at[Q]*p.StrideQ+at[S]*p.DilationS
		return span{{x, x + w}, {y, y + h}, {at[C], at[C] + tile[C]}, {at[N], at[N] + tile[N]}, {at[G], at[G] + tile[G]}}
	}
	offsets := []Factors{{}}
	for d := range Dims {
		var more []Factors
		for _, o := range offsets {
			for i := range n.below[l][d] {
				at := o
				at[d] += i * n.steps[l][d]
				more = append(more, at)
			}
		}
		offsets = more
	}
	seats := make([]seat, len(offsets))
	byGroup := map[int]int64{} // words sent to groups of so many children
	groups := map[int]int64{}  // boxes of that kind at the first step
	visit := func(at Factors, times int64) {
		same := map[span]int{}
		for i, o := range offsets {
			place := at
			for d := range place {
				place[d] += o[d]
			}
			if box, any := seats[i].take(boxAt(place)); any {
				same[box]++
			}
		}
		for box, count := range same {
			byGroup[count] += box.words() * times
		}
		if boxes == 0 {
			boxes = int64(len(same))
			for _, count := range same {
				groups[count]++
			}
		}
	}
	loops := n.loops[n.start[l]:n.n]
	var run func(i int, at Factors, times int64)
	run = func(i int, at Factors, times int64) {
		if i < 0 {
			visit(at, times)
			return
		}
		run(i-1, at, times)
		at[loops[i].dim] += loops[i].step
		run(i-1, at, times*(loops[i].bound-1))
	}
	run(len(loops)-1, Factors{}, 1)
	for count, words := range byGroup {
		sent += words
		filled += words / groups[count]
	}
	return sent, filled, boxes
}

// TestTimeloopInputs holds the closed form of Timeloop's counts of inputs against its
// way of counting, box by box, on random nests.
func TestTimeloopInputs(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	nests := 1500
	if testing.Short() {
		nests = 300
	}
	more, less, groups := 0, 0, 0
	for range nests {
		a, p, m := randomNest(rng, 2000)
		var exact, r Result
		a.Evaluate(&p, &m, &exact)
		a.Timeloop = true
		a.Evaluate(&p, &m, &r)
		var n nest
		n.build(&a, &m)
		reads := int64(0)
		for l := range a.Count {
			sent, filled, boxes := stepped(&p, &n, l)
			if l == 0 || a.Levels[l-1].Keep[Inputs] {
				if l == 0 { // nothing stays in a multiplier
					sent = r.ComputeCycles * boxes
				} else if got := r.Levels[l-1].Spaces[Inputs].Fills; got != filled {
					t.Fatalf("level %d filled with %d words, box by box %d: %+v %+v", l-1, got, filled, p, m[:a.Count])
				} else if filled > sent/boxes {
					groups++
				}
				reads = sent
			} else { // passed on to the level above
				reads *= boxes
			}
			if !a.Levels[l].Keep[Inputs] {
				continue
			}
			got := r.Levels[l].Spaces[Inputs].Reads
			if got != reads {
				t.Fatalf("level %d read for %d words, box by box %d: %+v %+v", l, got, reads, p, m[:a.Count])
			}
			if e := exact.Levels[l].Spaces[Inputs].Reads; got > e {
				more++
			} else if got < e {
				less++
			}
		}
		for l := range a.Count {
			for _, s := range []Space{Weights, Outputs} {
				if exact.Levels[l].Spaces[s] != r.Levels[l].Spaces[s] {
					t.Fatalf("Timeloop's way changes %v", s)
				}
			}
		}
	}
	if more == 0 || less == 0 || groups == 0 {
		t.Errorf("%d reads more than are needed, %d less, %d fills counted by group: no nest shows one of them", more, less, groups)
	}
	t.Logf("%d reads more than are needed, %d less, %d fills counted by group", more, less, groups)
}
