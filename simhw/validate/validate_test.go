package validate

import (
	"math"
	"testing"
)

// Every promise holds, and every row says what it compares and with whom.
func TestAll(t *testing.T) {
	list, err := All()
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, table := range list {
		if len(table.Rows) == 0 {
			t.Errorf("%s has no rows", table.Title)
		}
		for _, r := range table.Rows {
			rows++
			if r.Design == "" || r.What == "" || r.Unit == "" || r.Source == "" || !(r.Theirs > 0) || math.IsNaN(r.Ours) || math.IsInf(r.Ours, 0) || r.Bound < 0 && r.Bound != Open {
				t.Errorf("%s: incomplete row %+v", table.Title, r)
			}
			if !r.Holds() {
				t.Errorf("%s: %s, %s: %g, published %g %s: error %.1f %%, bound %.1f %%", table.Title, r.Design, r.What, r.Ours, r.Theirs, r.Unit, 100*r.Error(), 100*r.Bound)
			}
		}
	}
	t.Logf("%d rows", rows)
}

func TestRow(t *testing.T) {
	for _, c := range []struct {
		row   Row
		err   float64
		holds bool
	}{
		{Row{Theirs: 10, Ours: 11, Bound: 0.1}, 0.1, true},
		{Row{Theirs: 10, Ours: 8, Bound: 0.1}, -0.2, false},
		{Row{Theirs: 10, Ours: 10}, 0, true},
		{Row{Theirs: 10, Ours: 10.001}, 0.0001, false},
		{Row{Theirs: 10, Ours: 30, Bound: Open}, 2, true},
	} {
		if math.Abs(c.row.Error()-c.err) > 1e-9 || c.row.Holds() != c.holds {
			t.Errorf("%+v: error %g, holds %v", c.row, c.row.Error(), c.row.Holds())
		}
	}
}
