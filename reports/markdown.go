package reports

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// WriteMarkdown writes the report as Markdown with GitHub's tables. Charts are
// in the HTML page only.
func (r *Report) WriteMarkdown(w io.Writer) error {
	d := r.document()
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "# %s\n\n%s\n", plain(d.title), plain(d.subtitle))
	fmt.Fprint(b, "\nThe same with charts: report.html. Every number: report.json. The measurements: bench.txt.\n")
	for _, s := range d.sections {
		fmt.Fprintf(b, "\n## %s\n", plain(s.title))
		for _, x := range s.blocks {
			if len(x.charts) > 0 {
				continue
			}
			fmt.Fprintln(b)
			switch {
			case x.text != "":
				fmt.Fprintln(b, plain(x.text))
			case len(x.list) > 0:
				for _, item := range x.list {
					fmt.Fprintf(b, "- %s\n", plain(item))
				}
			case x.code != "":
				fmt.Fprintf(b, "```sh\n%s\n```\n", x.code)
			case x.table != nil:
				fmt.Fprintf(b, "**%s**\n\n", plain(x.table.caption))
				if err := x.table.Markdown(b); err != nil {
					return err
				}
			}
		}
	}
	return b.Flush()
}

// markdownText keeps characters of plain text from becoming marks.
var markdownText = strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "`", "\\`", "<", "&lt;", "[", `\[`, "~", `\~`, "\n", " ")

func plain(s string) string { return markdownText.Replace(s) }
