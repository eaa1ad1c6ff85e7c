package train

import (
	"fmt"

	"macroscope/graph"
	"macroscope/kernels"
	"macroscope/nn"
)

// NewTeacher lets a trained network give logits to a number of threads; choice nil is
// kernels.Default(). Its convolutions are done by minimal filtering where that suits, as
// the ones that are trained: directly they take nearly a third of a step with shortcuts.
func NewTeacher(g *graph.Graph, threads int, choice *kernels.Choice) (Teacher, error) {
	plan, err := nn.Compile(g, nn.Options{Kernels: choice, Winograd: nn.WinogradAll})
	if err != nil {
		return nil, fmt.Errorf("teacher: %w", err)
	}
	var runners []*nn.Runner
	for range threads {
		runners = append(runners, plan.NewRunner(1))
	}
	return func(thread int, image, logits []float32) error { return runners[thread].Run(logits, image) }, nil
}
