// Package reports says in one place what a network costs: measured on this CPU
// and simulated on accelerators. It joins bench, which measures, and simhw,
// which simulates.
//
//	folder, err := reports.OpenFolder("out/report")
//	r, err := reports.Collect(ctx, reports.Options{}, progress)
//	files, err := folder.Write(ctx, r)
//
// The parts, each usable alone:
//
//   - Collect measures and simulates, and gives a Report.
//   - Report holds every number as plain data; it goes to JSON and back.
//   - A document (sections of text, tables and charts) is made from a Report
//     once; WriteMarkdown, WriteHTML and WriteSummary only lay it out.
//   - Folder is where all of it goes, everything or nothing.
package reports
