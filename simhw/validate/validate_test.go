package validate

import (
	"math"
	"sync"
	"testing"
)

var tablesOnce = sync.OnceValues(All)

// all works the tables out once for all tests.
func all(t *testing.T) []Table {
	t.Helper()
	list, err := tablesOnce()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// Every promise holds, and every row says what it compares and with whom.
func TestAll(t *testing.T) {
	list := all(t)
	rows, runs := 0, 0
	for _, table := range list {
		if len(table.Rows) == 0 {
			t.Errorf("%s has no rows", table.Title)
		}
		for i := range table.Rows {
			r := &table.Rows[i]
			if rows++; table.Runs {
				runs++
			}
			if _, ok := quantities[r.Unit]; !ok && !table.Runs {
				t.Errorf("%s, %s: nothing is known of the unit %q", r.Design, r.What, r.Unit)
			}
			if r.Design == "" || r.What == "" || r.Unit == "" || r.Source == "" || !(r.Theirs > 0) && !table.Runs || math.IsNaN(r.Theirs) || math.IsNaN(r.Ours) || math.IsInf(r.Ours, 0) || r.Bound < 0 && r.Bound != Open {
				t.Errorf("%s: incomplete row %+v", table.Title, *r)
			}
			if !r.Holds() {
				t.Errorf("%s: %s, %s: %g, published %g %s: error %.1f %%, bound %.1f %%", table.Title, r.Design, r.What, r.Ours, r.Theirs, r.Unit, 100*r.Error(), 100*r.Bound)
			}
		}
	}
	t.Logf("%d rows, %d of them runs", rows, runs)
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
		{Row{Theirs: 10, Ours: 11, Allowed: 1}, 0.1, true},
		{Row{Theirs: 10, Ours: 12, Allowed: 1}, 0.2, false},
		{Row{Theirs: 0, Ours: 0}, 0, true},
		{Row{Theirs: 0, Ours: 1}, math.Inf(1), false},
	} {
		if c.row.Error() != c.err && math.Abs(c.row.Error()-c.err) > 1e-9 || c.row.Holds() != c.holds {
			t.Errorf("%+v: error %g, holds %v", c.row, c.row.Error(), c.row.Holds())
		}
	}
}
