// Package bench measures: it runs cases side by side, describes the machine
// they ran on, writes the Go benchmark format and compares such files.
//
// The parts, each usable alone:
//
//   - Run is the interleaved runner: every round runs every case once, in a
//     shuffled order, so that heat and other programs disturb all alike.
//   - DescribeMachine says what the numbers were measured on.
//   - Writer writes results, the machine and the meaning of our units in the
//     format of golang.org/design/14313-benchmark-format, which benchstat reads.
//   - Summarize gives median, confidence interval, best and spread by case.
//   - Compare reads any such files and says what is faster, by how much, and
//     whether that is more than noise.
package bench
