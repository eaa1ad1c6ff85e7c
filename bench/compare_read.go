package bench

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchproc"
	"golang.org/x/perf/benchunit"
)

var nameKey = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// ByMachine makes each file a column.
const ByMachine = "machine"

// list is names in order of first appearance, with their indexes.
type list struct {
	names []string
	index map[string]int
}

func (l *list) add(name string) int {
	if i, ok := l.index[name]; ok {
		return i
	}
	if l.index == nil {
		l.index = map[string]int{}
	}
	l.index[name] = len(l.names)
	l.names = append(l.names, name)
	return len(l.names) - 1
}

// cellKey is a place in the tables. file is −1 when the columns are the files.
type cellKey struct{ file, row, col, unit int }

// inputs are all results of all files, sorted into cells.
type inputs struct {
	by       string
	files    list
	columns  list
	rows     list
	units    list
	values   map[cellKey][]float64
	meta     benchfmt.UnitMetadataMap
	warnings []string
	noKey    int // results without the key that makes the columns

	heads  []map[string][]string // by file: the values that a setting took
	keys   list                  // settings in order
	mixed  []string              // notes on cells that mix unlike results
	unitIn map[string][]string   // by unit: the columns that have it
}

// record is a result kept until all files are read.
type record struct {
	res  *benchfmt.Result
	file string
}

func readInputs(paths []string, opt CompareOptions) (*inputs, error) {
	query := opt.Filter
	if query == "" {
		query = "*"
	}
	filter, err := benchproc.NewFilter(query)
	if err != nil {
		return nil, optionErrorf("filter %q: %v", query, oneLine(err))
	}
	in := &inputs{by: opt.By, values: map[cellKey][]float64{}, unitIn: map[string][]string{}}
	if in.by == "" {
		in.by = ByMachine
		if len(paths) == 1 {
			in.by = "impl"
		}
	}
	records, err := in.readFiles(paths, filter)
	if err != nil {
		return nil, err
	}
	if err := in.sort(records); err != nil {
		return nil, err
	}
	return in, nil
}

// readFiles reads all results that the filter keeps.
func (in *inputs) readFiles(paths []string, filter *benchproc.Filter) ([]record, error) {
	files := benchfmt.Files{Paths: paths, AllowStdin: true, AllowLabels: true}
	perFile := map[string]int{}
	var kept []record
	for files.Scan() {
		switch rec := files.Result().(type) {
		case *benchfmt.SyntaxError:
			in.warnings = append(in.warnings, rec.Error())
		case *benchfmt.Result:
			label := rec.GetConfig(".file")
			perFile[label]++
			in.dropNonFinite(rec)
			ok, err := filter.Apply(rec)
			if err != nil {
				in.warnings = append(in.warnings, fmt.Sprintf("filter: %v", oneLine(err)))
			}
			if ok {
				in.files.add(label)
				kept = append(kept, record{rec.Clone(), label})
			}
		}
	}
	if err := files.Err(); err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			return nil, fmt.Errorf("%s: %w", pe.Path, pe.Err)
		}
		return nil, err
	}
	in.meta = files.Units()
	for _, path := range paths {
		if label, _, _ := strings.Cut(path, "="); perFile[label] == 0 && perFile[path+"#0"] == 0 {
			return nil, fmt.Errorf("%s: no benchmark result", path)
		}
	}
	if len(kept) == 0 {
		return nil, errNothingLeft
	}
	return kept, nil
}

// dropNonFinite takes NaN and infinities out: no statistic survives them.
func (in *inputs) dropNonFinite(res *benchfmt.Result) {
	res.Values = slices.DeleteFunc(res.Values, func(v benchfmt.Value) bool {
		bad := math.IsNaN(v.Value) || math.IsInf(v.Value, 0)
		if bad {
			file, line := res.Pos()
			in.warnings = append(in.warnings, fmt.Sprintf("%s:%d: value %v %s: want a finite number", file, line, v.Value, v.Unit))
		}
		return bad
	})
}

// sort puts every value into its cell.
func (in *inputs) sort(records []record) error {
	if !nameKey.MatchString(in.by) {
		return optionErrorf("by %q: want %s or a key of the benchmarks' names such as impl", in.by, ByMachine)
	}
	colExpr := "/" + in.by
	if in.by == ByMachine {
		colExpr = ".file"
	}
	var parser benchproc.ProjectionParser
	colBy, err := parser.Parse(colExpr, nil)
	if err != nil {
		return err
	}
	if !variesThreads(records) && in.by != "gomaxprocs" {
		// Machines with 2 and with 8 CPUs write Name-2 and Name-8, which are
		// the same case to us.
		if _, err := parser.Parse("/gomaxprocs", nil); err != nil {
			return err
		}
	}
	if in.by != ByMachine {
		if _, err := parser.Parse(".file", nil); err != nil {
			return err
		}
	}
	rowBy, err := parser.Parse(".fullname", nil)
	if err != nil {
		return err
	}
	rest := parser.Residue()
	unlike := map[cellKey][]benchproc.Key{}

	for _, r := range records {
		col := colBy.Project(r.res).StringValues()
		if col == "" {
			in.noKey++
			continue
		}
		key := cellKey{file: -1, row: in.rows.add(rowBy.Project(r.res).StringValues()), col: in.columns.add(col)}
		f := in.files.index[r.file]
		if in.by != ByMachine {
			key.file = f
		}
		in.addHead(f, r.res)
		if k := rest.Project(r.res); !slices.Contains(unlike[key], k) {
			unlike[key] = append(unlike[key], k)
		}
		for _, v := range r.res.Values {
			value, unit := benchunit.Tidy(v.Value, v.Unit)
			key.unit = in.units.add(unit)
			in.values[key] = append(in.values[key], value)
			if !slices.Contains(in.unitIn[unit], col) {
				in.unitIn[unit] = append(in.unitIn[unit], col)
			}
		}
	}
	if len(in.columns.names) == 0 {
		return optionErrorf("by %q: no benchmark name has /%s=", in.by, in.by)
	}
	in.noteMixed(unlike)
	return nil
}

// variesThreads reports whether one file has one case with several numbers of
// threads, which then are part of what is compared.
func variesThreads(records []record) bool {
	type name struct{ file, name string }
	threads := map[name]string{}
	for _, r := range records {
		full := string(r.res.Name)
		base, suffix := full, ""
		if _, parts := r.res.Name.Parts(); len(parts) > 0 && parts[len(parts)-1][0] == '-' {
			suffix = string(parts[len(parts)-1])
			base = strings.TrimSuffix(full, suffix)
		}
		n := name{r.file, base}
		if was, seen := threads[n]; seen && was != suffix {
			return true
		}
		threads[n] = suffix
	}
	return false
}

// passing are settings that differ from run to run by nature.
var passing = []string{"load-average", "round", "order-seed"}

// noteMixed tells where results were taken together although the files say
// that they were made in different ways.
func (in *inputs) noteMixed(unlike map[cellKey][]benchproc.Key) {
	cells := map[string]int{}
	for _, keys := range unlike {
		if len(keys) < 2 {
			continue
		}
		for _, f := range benchproc.NonSingularFields(keys) {
			if !slices.Contains(passing, f.Name) {
				cells[f.Name]++
			}
		}
	}
	var names []string
	for name := range cells {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		in.mixed = append(in.mixed, fmt.Sprintf("%d cells take results with different %q together", cells[name], name))
	}
}

// addHead remembers the settings under which a result was made.
func (in *inputs) addHead(file int, res *benchfmt.Result) {
	for len(in.heads) <= file {
		in.heads = append(in.heads, map[string][]string{})
	}
	head := in.heads[file]
	for _, cfg := range res.Config {
		if !cfg.File || cfg.Key == "pkg" {
			continue
		}
		in.keys.add(cfg.Key)
		if v := string(cfg.Value); !slices.Contains(head[cfg.Key], v) {
			head[cfg.Key] = append(head[cfg.Key], v)
		}
	}
}

// settings gives the files' heads, key by key.
func (in *inputs) settings() []FileSetting {
	var all []FileSetting
	for _, key := range in.keys.names {
		s := FileSetting{Key: key}
		for i := range in.files.names {
			value := ""
			if i < len(in.heads) {
				value = strings.Join(in.heads[i][key], "; ")
			}
			s.Values = append(s.Values, value)
		}
		all = append(all, s)
	}
	return all
}

// tables says which files get tables of their own: −1 is all together.
func (in *inputs) tables() []int {
	if in.by == ByMachine {
		return []int{-1}
	}
	files := make([]int, len(in.files.names))
	for i := range files {
		files[i] = i
	}
	return files
}

// notes tell what of the input no table shows.
func (in *inputs) notes() []string {
	notes := in.mixed
	if in.noKey > 0 {
		notes = append(notes, fmt.Sprintf("%d results have no /%s= in their names and are left out", in.noKey, in.by))
	}
	if n := len(in.columns.names); n > 1 && in.by == ByMachine {
		for _, unit := range in.units.names {
			if cols := in.unitIn[unit]; len(cols) < n {
				notes = append(notes, fmt.Sprintf("unit %s: only in %s", unit, strings.Join(cols, ", ")))
			}
		}
	}
	return notes
}

// oneLine keeps the first line of an error that draws its position in a
// second one.
func oneLine(err error) error {
	if first, _, more := strings.Cut(err.Error(), "\n"); more {
		return errors.New(first)
	}
	return err
}
