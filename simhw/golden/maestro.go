package golden

// MAESTRORun is a layer of AlexNet, four images, on Eyeriss by MAESTRO's analysis.
type MAESTRORun struct {
	Layer  string // CONV1
	Cycles int64
}

// MAESTRO returns the layers.
func MAESTRO() ([]MAESTRORun, error) {
	var runs []MAESTRORun
	err := read("maestro.csv", func(t *table) {
		runs = append(runs, MAESTRORun{t.text("layer"), t.whole("cycles")})
	})
	return runs, err
}
