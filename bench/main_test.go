package bench

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"macroscope/kernels"
)

// TestMain writes, before benchmarks, what readers of their results must know:
// the meaning of our units and the machine. Package testing itself writes goos,
// goarch, pkg and cpu.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.bench"); f != nil && f.Value.String() != "" {
		if err := writeUnits(os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		machine := DescribeMachine()
		machine.Commit = testedCommit()
		if choice, err := kernels.Default(); err == nil {
			machine.Kernels = choice.String()
		}
		for _, s := range machine.Settings() {
			if s.Key != "goos" && s.Key != "goarch" && s.Key != "cpu" {
				fmt.Printf("%s: %s\n", s.Key, s.Value)
			}
		}
	}
	os.Exit(m.Run())
}

// testedCommit asks git, since test programs carry no commit; tests run in
// their source folder. Without git there is none.
func testedCommit() string {
	head, err := exec.Command("git", "rev-parse", "HEAD").Output()
	if err != nil {
		return ""
	}
	commit := strings.TrimSpace(string(head))
	if changed, err := exec.Command("git", "status", "--porcelain", "--untracked-files=no").Output(); err == nil && len(changed) > 0 {
		commit += "+dirty"
	}
	return commit
}
