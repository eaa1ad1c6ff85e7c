package main

import (
	"encoding/csv"
	"math"
	"strconv"
	"strings"

	"macroscope/dtype"
	"macroscope/internal/table"
	"macroscope/kernels"
)

type kernelsCmd struct {
	Output    string `short:"o" enum:"text,json,csv,md" default:"text" help:"Format: ${enum}." placeholder:"FORMAT"`
	Predicted bool   `xor:"table" help:"Instead: what the arm64 kernels reach at most on five cores, and others on the CPUs that designs describe, AMX's too; predicted by counting, not measured."`
	Shapes    bool   `xor:"table" help:"Instead: the same of tiles that could have been chosen, float32 and int8 by SDOT."`
}

// Help is the longer text of macroscope kernels --help.
func (*kernelsCmd) Help() string {
	return `Lists every implementation of every operation that this build has, whether this CPU can run it and if not why, and which one is chosen. ` + kernels.EnvVar + ` changes the choice: "avx2" or "int8=avx512vnni" forces, "-avx512vnni" leaves out, commas separate; what cannot run here or is not known is an error.

--predicted and --shapes measure nothing: they lay the instructions of the arm64 kernels' innermost loops over published figures of CPUs that are not at hand, and print upper bounds with their sources. --predicted also counts the kernels on the CPUs of “macroscope designs”, layer by layer.

The products of float32 are what “macroscope train --products” may ask for on this CPU. Minimal filtering computes 3x3 convolutions with fewer products: of float32 on request (--winograd), since it rounds more; of int8, where it is exact, by default if it was measured to be faster on this kind of CPU, else where “--impl tuned” finds it faster.`
}

// kernelRow is a row of the table in JSON.
type kernelRow struct {
	Op        string   `json:"op"`
	DType     string   `json:"dtype"`
	Impl      string   `json:"impl"`
	Available bool     `json:"available"`
	Chosen    bool     `json:"chosen"`
	Reason    string   `json:"reason"`
	Needs     []string `json:"needs"`
	TileRows  int      `json:"tile_rows"`
	TileCols  int      `json:"tile_columns"`
	Products  []string `json:"products"`
	Filtering string   `json:"minimal_filtering,omitempty"`
}

func (c *kernelsCmd) Run(e *env) error {
	switch {
	case c.Predicted:
		return c.predicted(e)
	case c.Shapes:
		return c.shapes(e)
	}
	choice, err := kernels.Default()
	if err != nil {
		return usageError{err}
	}
	var rows []kernelRow
	for _, im := range kernels.Table() {
		mr, nr := im.Tile()
		for _, op := range kernels.Ops {
			r := kernelRow{
				Op: op, DType: im.DType().String(), Impl: im.Name(), Available: im.Available(), Reason: im.Reason(),
				Needs: im.Needs(), TileRows: mr, TileCols: nr, Products: productsOf(im), Filtering: filtering(im),
			}
			if choice.For(im.DType()) == im {
				r.Chosen, r.Reason = true, choice.Why(im.DType())
			}
			rows = append(rows, r)
		}
	}
	if c.Output == "json" {
		return e.writeJSON(rows)
	}
	if c.Output == "csv" {
		w := csv.NewWriter(e.stdout)
		_ = w.Write([]string{"op", "dtype", "impl", "available", "chosen", "reason", "needs", "tile_rows", "tile_columns", "products", "minimal_filtering"}) // Error tells
		for _, r := range rows {
			_ = w.Write([]string{r.Op, r.DType, r.Impl, yes(r.Available), yes(r.Chosen), r.Reason, strings.Join(r.Needs, " "), strconv.Itoa(r.TileRows), strconv.Itoa(r.TileCols), strings.Join(r.Products, " "), r.Filtering})
		}
		w.Flush()
		return w.Error()
	}
	// The three operations of a row share everything, so people see them once.
	t := table.Table{Head: []string{"ops", "dtype", "impl", "tile", "available", "chosen", "reason", "needs", "products", "minimal filtering"}}
	for i := 0; i < len(rows); i += len(kernels.Ops) {
		r := rows[i]
		t.Add(strings.Join(kernels.Ops, " "), r.DType, r.Impl, strconv.Itoa(r.TileRows)+"x"+strconv.Itoa(r.TileCols),
			yes(r.Available), yes(r.Chosen), r.Reason, strings.Join(r.Needs, " "), strings.Join(r.Products, " "), r.Filtering)
	}
	return e.writeTable(c.Output, &t)
}

// productsOf is what a float32 row multiplies here, of which training has the choice; of
// other dtypes none.
func productsOf(im *kernels.Impl) []string {
	list := []string{}
	for _, p := range []kernels.Products{kernels.Float32Products, kernels.BFloat16Products} {
		if im.Available() && im.CheckProducts(p) == nil {
			list = append(list, p.String())
		}
	}
	return list
}

// filtering says when a row computes 3×3 convolutions by minimal filtering on this CPU; empty:
// never.
func filtering(im *kernels.Impl) string {
	switch {
	case len(im.Winograds()) == 0:
		return ""
	case im.DType() == dtype.Float32:
		return "on request"
	case im.WinogradPays(math.MaxInt) > 0:
		return "by default"
	}
	return "where tuned"
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
