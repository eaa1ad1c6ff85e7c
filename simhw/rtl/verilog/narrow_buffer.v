// A buffer that gives or takes WIDTH bits a cycle, 0: a whole line, for an array that
// stands still meanwhile. In a step of the array lines of line_bits cross this buffer's
// edge, one after the other, none sharing a cycle with the next. ready says that
// the last of them is through with this cycle; the array takes its step with the clock
// edge for which advance is set, when all of its buffers are ready.
module narrow_buffer #(
    parameter WIDTH = 0,
    parameter D     = 16 // bits of line_bits
) (
    input          clk,
    input          rst,
    input  [1:0]   lines,
    input  [D-1:0] line_bits,
    input          advance,
    output         ready
);
    reg  [1:0]   line;  // lines that crossed in the cycles before
    reg  [D-1:0] moved; // bits of the next one that did
    wire         last    = WIDTH == 0 || line_bits - moved <= WIDTH; // this cycle's are the line's last
    wire         through = line == lines;
    assign ready = through || last && line + 1 == lines;

    always @(posedge clk)
        if (rst || advance) begin
            line  <= 0;
            moved <= 0;
        end else if (!through) begin
            line  <= last ? line + 1 : line;
            moved <= last ? 0 : moved + WIDTH;
        end
endmodule
