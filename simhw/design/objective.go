package design

// Objective is what the best way to do a layer, of those that are searched, has least of.
type Objective uint8

// The objectives.
const (
	LeastCycles Objective = iota // of equal ones the least energy, or the fewest bytes from and to DRAM
	EnergyDelay                  // energy times cycles; of equal ones the fewest cycles
	LeastEnergy                  // of equal ones the fewest cycles
)

var objectiveNames = []string{"cycles", "energy_delay", "energy"}

func (o Objective) String() string { return enumName(objectiveNames, int(o)) }

// searchFor is the key of an objective.
func searchFor(doc string, at func(*Spec) *Objective) field {
	return enum("search_for", doc, "cycles", objectiveNames, at)
}
