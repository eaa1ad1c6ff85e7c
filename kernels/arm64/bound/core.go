package bound

// op is a class of instructions, as arm64.Mix counts them.
type op int

const (
	loadQ op = iota
	loadPair
	loadLane
	fmla
	sdot
	udot
	smmla
	smull
	sadalp
	eor
	cnt
	uadalp
	add
	permute
	scalar
	branch
	ops // how many there are
)

// opNames are the classes as errors and tables name them.
var opNames = [ops]string{
	"LDR of 16 bytes", "LDP of 32 bytes", "LDR of 4 or 8 bytes", "FMLA", "SDOT", "UDOT", "SMMLA", "SMULL", "SADALP",
	"EOR", "CNT", "UADALP", "ADD", "DUP or ZIP", "integer addition", "branch",
}

// use is what an instruction takes of a core. The zero value: the core has no
// such instruction.
type use struct {
	slots  int   // of the front end; 0: not on this core
	vector int   // cycles of one vector pipe
	pipes  pipes // which it may be
	load   int   // cycles of one load pipe
	sum    int   // cycles from a sum to the next one onto it, of instructions that accumulate
}

// pipes is a set of a core's vector pipes.
type pipes uint8

// Core is what is published of a core. All numbers are of full 128-bit
// instructions, of SVE of full vectors.
type Core struct {
	Name string
	// Sources say where the numbers are from, and what is assumed.
	Sources []string

	front   int      // instructions (as the core counts them) a cycle
	vectors []string // names of the vector pipes
	loads   int      // load pipes
	uses    [ops]use
	sve     *sve // nil: it has none
}

// sve is what of a core is otherwise for instructions of SVE.
type sve struct {
	bits  int // of a vector
	loads int // load pipes
	uses  [ops]use
}

// withSVE is the core as instructions of SVE find it.
func (c *Core) withSVE() *Core {
	s := *c
	s.loads, s.uses = c.sve.loads, c.sve.uses
	return &s
}

// all is the set of all vector pipes.
func (c *Core) all() pipes { return 1<<len(c.vectors) - 1 }

// The sources that several cores share. insn_bench and cpufp are programs that
// measure single instructions; their tables are in their repositories. LLVM's
// models and SLOTHY's say themselves that they are made from Arm's guides, whose own
// tables were not at hand: a figure named after one of them is as it has it.
const (
	insnBench = "github.com/ocxtal/insn_bench_aarch64, results/"
	cpufp     = "github.com/pigirons/cpufp, benchmark_result/arm64/"
	llvm      = "LLVM, llvm/lib/Target/AArch64/AArch64Sched"
	slothy    = "slothy/targets/aarch64/" // of forks of github.com/slothy-optimizer/slothy
)

// n1 is what an instruction takes of a Neoverse-N1, and, as is assumed, of a
// Cortex-A76. Pipes: V0 is 1, V1 is 2.
var n1 = [ops]use{
	loadQ:    {slots: 1, load: 1},
	loadPair: {slots: 1, load: 2},
	loadLane: {slots: 1, load: 1},
	fmla:     {slots: 1, vector: 1, pipes: 3, sum: 2},
	sdot:     {slots: 1, vector: 1, pipes: 3, sum: 3},
	smull:    {slots: 1, vector: 1, pipes: 1},
	sadalp:   {slots: 1, vector: 1, pipes: 2, sum: 1},
	eor:      {slots: 1, vector: 1, pipes: 3},
	cnt:      {slots: 1, vector: 1, pipes: 3},
	uadalp:   {slots: 1, vector: 1, pipes: 2, sum: 1},
	add:      {slots: 1, vector: 1, pipes: 3, sum: 2},
	permute:  {slots: 1, vector: 1, pipes: 3},
	scalar:   {slots: 1},
	branch:   {slots: 1},
}

// Cores lists the cores, the simplest first.
var Cores = []Core{
	{
		Name: "Cortex-A53",
		Sources: []string{
			"Arm publishes no instruction timings of the Cortex-A53. Measured on a Raspberry Pi 3: " + insnBench + "raspberry-pi-3_cortex-a53.md: 2 instructions a cycle; FMLA, SMULL, EOR, CNT, ADD, DUP and ZIP 1 a cycle, SADALP and UADALP 1 in 2; LDR of 16 bytes 1 in 2 cycles, LDP 1 in 4, of one lane 1; from sum to sum FMLA 4 cycles, ADD 2, SADALP and UADALP 2 (as SABA, theirs was not measured).",
			"FMLA 1 a cycle also in " + cpufp + "RockChip_RK3399.md: 11.26 GFLOP/s at 1.4 GHz.",
			"A vector load goes with no vector arithmetic, for 2 cycles if of 16 bytes, 1 if of 8: github.com/Tencent/ncnn, docs/developer-guide/arm-a53-a55-dual-issue.md. So loads are counted on the NEON pipe, too.",
		},
		front: 2, vectors: []string{"NEON pipe"}, loads: 1,
		uses: [ops]use{
			loadQ:    {slots: 1, vector: 2, pipes: 1, load: 2},
			loadPair: {slots: 1, vector: 4, pipes: 1, load: 4},
			loadLane: {slots: 1, vector: 1, pipes: 1, load: 1},
			fmla:     {slots: 1, vector: 1, pipes: 1, sum: 4},
			smull:    {slots: 1, vector: 1, pipes: 1},
			sadalp:   {slots: 1, vector: 2, pipes: 1, sum: 2},
			eor:      {slots: 1, vector: 1, pipes: 1},
			cnt:      {slots: 1, vector: 1, pipes: 1},
			uadalp:   {slots: 1, vector: 2, pipes: 1, sum: 2},
			add:      {slots: 1, vector: 1, pipes: 1, sum: 2},
			permute:  {slots: 1, vector: 1, pipes: 1},
			scalar:   {slots: 1},
			branch:   {slots: 1},
		},
	},
	{
		Name: "Cortex-A76",
		Sources: []string{
			"FMLA and SDOT 2 a cycle: measured, " + cpufp + "Broadcom_BCM2712.md: 38.4 GFLOP/s and 153.5 GOP/s at 2.4 GHz.",
			"SLOTHY's model in github.com/pinhaocrypto/slothy, " + slothy + "cortex_a76.py, which is made from the Arm Cortex-A76 Software Optimization Guide, version 10.0, PJDOC-466751330-7215: 4 instructions a cycle; LDR of 16 bytes 2 a cycle, LDP 1; SMULL on V0, EOR, CNT, ADD and ZIP on both.",
			"What that model does not have is assumed to be as on the Neoverse-N1, whose figures agree in all the rest: LDR of one lane, DUP of an element, SADALP and UADALP, and the cycles from sum to sum.",
		},
		front: 4, vectors: []string{"V0", "V1"}, loads: 2, uses: n1,
	},
	{
		Name: "Neoverse-N1",
		Sources: []string{
			"Measured on a Graviton2: " + insnBench + "aws_graviton2.md: 4 instructions a cycle; LDR of 16 bytes and of one lane 2 a cycle, LDP 1; FMLA, SDOT, EOR, CNT, ADD, DUP and ZIP 2, SMULL, SADALP and UADALP 1; from sum to sum FMLA 2 cycles, ADD 2, SADALP and UADALP 1 (as SABA, theirs was not measured); SDOT 3, its latency, less if the sum is forwarded, which was not measured.",
			"The pipes (SMULL on V0, SADALP and UADALP on V1, all else on both) from " + llvm + "NeoverseN1.td, which is made from the Arm Neoverse N1 Software Optimization Guide (PJDOC-466751330-9707).",
		},
		front: 4, vectors: []string{"V0", "V1"}, loads: 2, uses: n1,
	},
	{
		Name: "Neoverse-V1",
		Sources: []string{
			llvm + "NeoverseV1.td, which is made from the Arm Neoverse V1 Software Optimization Guide (PJDOC-466751330-9685): FMLA, SDOT, SMMLA, EOR, CNT, ADD, DUP and ZIP on four pipes, SMULL on V0 and V2, SADALP and UADALP on V1 and V3; from sum to sum FMLA and ADD 2 cycles, SDOT, SMMLA, SADALP and UADALP 1; three load pipes, LDP takes two.",
			"8 instructions a cycle: section 4.1 of that guide, issue 6.0, as SLOTHY's model in github.com/Yurou776/slothy-neoverse-v2, " + slothy + "neoverse_v1.py, quotes it; LLVM's model has 8, too. The former has the same pipes for LDR, LDP, EOR, CNT, ADD, ZIP and SMULL.",
			"SVE, with vectors of 256 bits, from LLVM's model: FMLA, SDOT, UDOT, EOR and CNT on V0 and V1 alone; LDR, LD1RW and LD1RQW on two load pipes; from sum to sum FMLA 2 cycles, SDOT and UDOT 1. Section 4.17 of the guide, as SLOTHY's model has it: 2 instructions of SVE a cycle where 4 are of NEON.",
			"Measured on a Graviton3: " + insnBench + "aws_graviton3.md: LDR of 16 bytes 3 a cycle, LDP 1.35, SDOT 3.67, EOR, CNT, ADD and DUP 4, SMULL, SADALP and UADALP 2; from sum to sum SABA 2.4 cycles, where the model has 1. " + cpufp + "AWS_Graviton_3E.md has half of it for FMLA, SDOT and SMMLA: a bound is the larger.",
		},
		front: 8, vectors: []string{"V0", "V1", "V2", "V3"}, loads: 3,
		uses: [ops]use{
			loadQ:    {slots: 1, load: 1},
			loadPair: {slots: 1, load: 2},
			loadLane: {slots: 1, load: 1},
			fmla:     {slots: 1, vector: 1, pipes: 15, sum: 2},
			sdot:     {slots: 1, vector: 1, pipes: 15, sum: 1},
			smmla:    {slots: 1, vector: 1, pipes: 15, sum: 1},
			smull:    {slots: 1, vector: 1, pipes: 5},
			sadalp:   {slots: 1, vector: 1, pipes: 10, sum: 1},
			eor:      {slots: 1, vector: 1, pipes: 15},
			cnt:      {slots: 1, vector: 1, pipes: 15},
			uadalp:   {slots: 1, vector: 1, pipes: 10, sum: 1},
			add:      {slots: 1, vector: 1, pipes: 15, sum: 2},
			permute:  {slots: 1, vector: 1, pipes: 15},
			scalar:   {slots: 1},
			branch:   {slots: 1},
		},
		sve: &sve{bits: 256, loads: 2, uses: [ops]use{
			loadQ:    {slots: 1, load: 1},
			loadLane: {slots: 1, load: 1},
			fmla:     {slots: 1, vector: 1, pipes: 3, sum: 2},
			sdot:     {slots: 1, vector: 1, pipes: 3, sum: 1},
			udot:     {slots: 1, vector: 1, pipes: 3, sum: 1},
			eor:      {slots: 1, vector: 1, pipes: 3},
			cnt:      {slots: 1, vector: 1, pipes: 3},
			scalar:   {slots: 1},
			branch:   {slots: 1},
		}},
	},
	{
		Name: "Apple-M1",
		Sources: []string{
			"The performance core, Firestorm: measured by Dougall Johnson, dougallj.github.io/applecpu/firestorm.html: 8 instructions a cycle, four vector pipes, three load pipes.",
			"FMLA (by element it measured 3.43), SDOT, SMULL, SADALP, UADALP, EOR, CNT, ADD, DUP and ZIP 4 a cycle; LDR of 16 bytes and of one lane 3, LDP 1.5; from sum to sum FMLA 4 cycles, SDOT, SADALP and UADALP 3, ADD 2: " + insnBench + "apple_m1_firestorm.md.",
		},
		front: 8, vectors: []string{"u11", "u12", "u13", "u14"}, loads: 3,
		uses: [ops]use{
			loadQ:    {slots: 1, load: 1},
			loadPair: {slots: 1, load: 2},
			loadLane: {slots: 1, load: 1},
			fmla:     {slots: 1, vector: 1, pipes: 15, sum: 4},
			sdot:     {slots: 1, vector: 1, pipes: 15, sum: 3},
			smull:    {slots: 1, vector: 1, pipes: 15},
			sadalp:   {slots: 1, vector: 1, pipes: 15, sum: 3},
			eor:      {slots: 1, vector: 1, pipes: 15},
			cnt:      {slots: 1, vector: 1, pipes: 15},
			uadalp:   {slots: 1, vector: 1, pipes: 15, sum: 3},
			add:      {slots: 1, vector: 1, pipes: 15, sum: 2},
			permute:  {slots: 1, vector: 1, pipes: 15},
			scalar:   {slots: 1},
			branch:   {slots: 1},
		},
	},
}
