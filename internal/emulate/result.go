package emulate

// Result is how a program ended.
type Result struct {
	Code   int            // its exit code; 128 + the signal that killed it
	Counts map[string]int // emulated instructions by mnemonic
}
