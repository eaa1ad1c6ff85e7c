// The controller of a double-buffered memory between DRAM and a machine that
// works tile by tile. While the machine works on a tile out of one bank, DRAM
// fills the other with the next one and takes the outputs of the tile before;
// the step is over when all three are. Before the first tile its words are
// fetched, after the last its outputs written.
//
// DRAM moves WIDTH words a cycle, reads and writes in any mix, reads first. It has a
// clock of its own and a register of a cycle's words on the way: what it could still
// move in the cycle that ends a step, once the machine waits for it, it moves in the
// next step's first cycle besides. The last outputs are written from a cycle's start.
// It starts in the cycle after start and is busy until the clock edge that
// ends the last write. Of every tile at least one word is read and one written;
// the numbers are answered in the same cycle.
module double_buffer #(
    parameter WIDTH = 4,
    parameter D     = 16
) (
    input              clk,
    input              rst,
    input              start,
    input  [D-1:0]     tiles,      // at least 1
    output reg         busy,
    output [D-1:0]     read_tile,  // the tile whose words are asked for
    input  [D-1:0]     read_words,
    output [D-1:0]     write_tile,
    input  [D-1:0]     write_words,
    // DRAM, and the banks on this side of it: bank is that of the tile's number, bit 0.
    output [D-1:0]     reads,      // words read in this cycle, from read_at of read_tile on
    output reg [D-1:0] read_at,
    output [D-1:0]     writes,
    output reg [D-1:0] write_at,
    // The machine: launch in the cycle before a tile's first, go in that, done in
    // its last or any later one.
    output             launch,
    output             go,
    output [D-1:0]     tile,
    input              done
);
    // Step s works on tile s-1, fetches tile s and writes tile s-2.
    reg  [D-1:0] step;
    reg          begun; // past the step's first cycle
    reg          late;  // the machine was done before this cycle
    reg  [D-1:0] spare; // words that DRAM moves besides in a first cycle
    wire         fetching = step < tiles;
    wire         working  = step > 0 && step <= tiles;
    wire         writing  = step > 1;
    assign tile       = step - 1;
    assign read_tile  = step;
    assign write_tile = step - 2;

    wire [D-1:0] to_read  = fetching ? read_words - read_at : 0;
    wire [D-1:0] to_write = writing ? write_words - write_at : 0;
    wire [D-1:0] most     = WIDTH + (begun ? 0 : spare);
    assign reads  = busy ? (to_read < most ? to_read : most) : 0;
    assign writes = busy ? (to_write < most - reads ? to_write : most - reads) : 0;
    assign go     = busy && working && !begun;

    wire ending = reads == to_read && writes == to_write && (!working || done);
    assign launch = busy && ending && fetching; // what was fetched is worked on next

    // What this cycle has room for. A machine that is done with this very cycle ends the
    // step as far into a cycle of DRAM's as it began.
    wire [D-1:0] room   = most - reads - writes;
    wire         waited = late || !working;

    always @(posedge clk) begin
        if (rst) begin
            busy <= 0;
        end else if (start) begin
            busy  <= 1;
            step  <= 0;
            begun <= 0;
            late  <= 0;
            spare <= 0;
            {read_at, write_at} <= 0;
        end else if (busy) begin
            begun    <= !ending;
            late     <= !ending && done;
            read_at  <= ending ? 0 : read_at + reads;
            write_at <= ending ? 0 : write_at + writes;
            if (ending) begin
                step  <= step + 1;
                spare <= step == tiles ? 0 : waited || room < spare ? room : spare;
                busy <= step != tiles + 1;
            end
        end
    end
endmodule
