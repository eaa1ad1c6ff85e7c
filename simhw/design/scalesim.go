package design

import (
	"bufio"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The keys of a SCALE-Sim configuration, versions 2 and 3, by section, in lower
// case (the format ignores the keys' case).
var cfgKeys = map[string][]string{
	"general": {"run_name"},
	"architecture_presets": {
		"arrayheight", "arraywidth", "ifmapsramszkb", "filtersramszkb", "ofmapsramszkb", "dataflow",
		"ifmapoffset", "filteroffset", "ofmapoffset", "bandwidth", "memorybanks", "readrequestbuffer", "writerequestbuffer",
	},
	"layout": {
		"ifmapcustomlayout", "ifmapsrambankbandwidth", "ifmapsrambanknum", "ifmapsrambankport",
		"filtercustomlayout", "filtersrambankbandwidth", "filtersrambanknum", "filtersrambankport",
	},
	"sparsity":        {"sparsitysupport", "sparserep", "optimizedmapping", "blocksize", "nonzeroelems", "randomnumbergeneratorseed"},
	"run_presets":     {"interfacebandwidth", "useramulatortrace"},
	"network_presets": {"topologycsvloc"},
}

// ParseSCALESim reads a SCALE-Sim .cfg. The design it gives is evaluated by
// SCALE-Sim v3's exact formulas (see package systolic). Optional sections may
// be missing; keys that nobody knows become the design's Warnings, and so do
// settings whose effect is not modelled and that do not change the cycles of
// the ideal-bandwidth mode. Sparsity is an error: it changes them.
func ParseSCALESim(file string, r io.Reader) (Design, error) {
	p := cfgParser{file: file, values: map[string]cfgValue{}}
	if err := p.scan(r); err != nil {
		return Design{}, err
	}
	return p.design()
}

type cfgValue struct {
	text string
	line int
}

type cfgParser struct {
	file     string
	values   map[string]cfgValue // "section.key"
	lines    int
	warnings []string
}

func (p *cfgParser) errorf(line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", p.file, line, fmt.Sprintf(format, args...))
}

func (p *cfgParser) warnf(line int, format string, args ...any) {
	p.warnings = append(p.warnings, p.errorf(line, format, args...).Error())
}

func (p *cfgParser) scan(r io.Reader) error {
	sc := bufio.NewScanner(io.LimitReader(r, maxFile+1))
	section, size := "", 0
	for sc.Scan() {
		p.lines++
		if size += len(sc.Bytes()) + 1; size > maxFile {
			return fmt.Errorf("%s: more than %d bytes", p.file, maxFile)
		}
		s := strings.TrimSpace(strings.TrimPrefix(sc.Text(), "\ufeff"))
		if s == "" || s[0] == '#' || s[0] == ';' {
			continue
		}
		if s[0] == '[' {
			end := strings.IndexByte(s, ']')
			if end < 0 {
				return p.errorf(p.lines, "section %q: want [name]", s)
			}
			section = strings.TrimSpace(s[1:end])
			if _, ok := cfgKeys[section]; !ok {
				p.warnf(p.lines, "section %q is not used", section)
			}
			continue
		}
		i := strings.IndexAny(s, "=:")
		if i < 1 {
			return p.errorf(p.lines, "%q: want key = value or key : value", shorten(s))
		}
		if section == "" {
			return p.errorf(p.lines, "%q before the first section: want [general]", shorten(s))
		}
		key := strings.ToLower(strings.TrimSpace(s[:i]))
		full := section + "." + key
		if v, again := p.values[full]; again {
			return p.errorf(p.lines, "key %q again: first on line %d", key, v.line)
		}
		p.values[full] = cfgValue{strings.TrimSpace(s[i+1:]), p.lines}
		if keys, ok := cfgKeys[section]; ok {
			if !slices.Contains(keys, key) {
				p.warnf(p.lines, "key %q of section %q is not used", strings.TrimSpace(s[:i]), section)
			}
		}
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("%s:%d: %w", p.file, p.lines+1, err)
	}
	return nil
}

func (p *cfgParser) design() (Design, error) {
	s := Spec{Family: FamilySystolic, ScaleSim: true}
	s.Array.MACsPerPEPerCycle = everyFormat(1)
	s.Array.AccumulatorBits = everyFormat(32)
	s.Name = strings.TrimSuffix(filepath.Base(p.file), filepath.Ext(p.file))
	if v, ok := p.values["general.run_name"]; ok {
		if err := common[0].set(&s, strings.Trim(v.text, `"'`)); err != nil {
			return Design{}, p.errorf(v.line, "run_name %q: %v", shorten(v.text), err)
		}
	}
	d := Design{warnings: p.warnings}
	for _, f := range []struct {
		cfg, key string
		required bool
	}{
		{"ArrayHeight", "array.rows", true},
		{"ArrayWidth", "array.cols", true},
		{"Dataflow", "dataflow", true},
		{"IfmapSramSzkB", "buffers.ifmap_kib", true},
		{"FilterSramSzkB", "buffers.filter_kib", true},
		{"OfmapSramSzkB", "buffers.ofmap_kib", true},
	} {
		v, ok := p.values["architecture_presets."+strings.ToLower(f.cfg)]
		if !ok {
			return Design{}, p.errorf(max(p.lines, 1), "%s is missing: want it in [architecture_presets]", f.cfg)
		}
		field, _, _ := systolicKind.find(f.key)
		if err := field.set(&s, v.text); err != nil {
			return Design{}, p.errorf(v.line, "%s %q: %v", f.cfg, shorten(v.text), err)
		}
		d.values = append(d.values, Value{Key: f.key, Text: v.text, Source: "assumed: " + f.cfg + " of the SCALE-Sim configuration", Line: v.line})
	}
	if err := p.modes(&d); err != nil {
		return Design{}, err
	}
	if err := s.check(); err != nil {
		return Design{}, err.plain(p.file)
	}
	d.spec = s
	return d, nil
}

// modes looks at the settings that choose among SCALE-Sim's models.
func (p *cfgParser) modes(d *Design) error {
	warn := func(line int, format string, args ...any) {
		d.warnings = append(d.warnings, p.errorf(line, format, args...).Error())
	}
	truth := func(key string) (set bool, line int, err error) {
		v, ok := p.values[key]
		if !ok {
			return false, 0, nil
		}
		switch strings.ToLower(v.text) {
		case "true", "yes", "on", "1":
			return true, v.line, nil
		case "false", "no", "off", "0":
			return false, v.line, nil
		}
		_, name, _ := cutLast(key)
		return false, 0, p.errorf(v.line, "%s %q: want True or False", name, shorten(v.text))
	}
	on, line, err := truth("sparsity.sparsitysupport")
	if err != nil {
		return err
	}
	if on {
		return p.errorf(line, "SparsitySupport true: want false, sparsity is not modelled")
	}
	for _, key := range []string{"layout.ifmapcustomlayout", "layout.filtercustomlayout", "run_presets.useramulatortrace"} {
		on, line, err := truth(key)
		if err != nil {
			return err
		}
		if on {
			_, name, _ := cutLast(key)
			warn(line, "%s is on: its stalls are not modelled, cycles are those of ideal bandwidth", name)
		}
	}
	if v, ok := p.values["run_presets.interfacebandwidth"]; ok {
		switch v.text {
		case "CALC":
		case "USER":
			warn(v.line, "InterfaceBandwidth USER: SCALE-Sim's bandwidth-limited stalls are not reproduced, cycles are those of CALC")
		default:
			return p.errorf(v.line, "InterfaceBandwidth %q: want CALC or USER", shorten(v.text))
		}
	}
	if v, ok := p.values["architecture_presets.bandwidth"]; ok {
		for _, part := range strings.Split(v.text, ",") {
			if n, err := strconv.Atoi(strings.TrimSpace(part)); err != nil || n < 1 {
				return p.errorf(v.line, "Bandwidth %q: want whole numbers from 1, separated by commas", shorten(v.text))
			}
		}
	}
	return nil
}
