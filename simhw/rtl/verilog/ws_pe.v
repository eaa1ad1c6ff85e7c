// A processing element of the weight-stationary array: a held word, which an
// operand a passes to the right; the sum of their products moves down.
//
// LOAD 0: while shift is set, the held word is replaced by that of the element
// above. LOAD 1 and 2: a second word, the shadow, is shifted so, or taken from
// the bus; the first operand of a fold makes it the held word. EDGE 1: the
// array takes sums from here.
module ws_pe #(
    parameter LANES = 1,
    parameter ACC   = 32,
    parameter SAT   = 0,
    parameter LOAD  = 0,
    parameter EDGE  = 0
) (
    input                    clk,
    input                    rst,
    input      [8*LANES-1:0] a,
    input                    valid, // a holds an operand
    input                    first, // of a fold
    input      [ACC-1:0]     sum_in,
    input                    shift,
    input      [8*LANES-1:0] above, // the word that shifts or is loaded in
    output reg [8*LANES-1:0] a_q,
    output reg               valid_q,
    output reg               first_q,
    output     [8*LANES-1:0] held,  // the word that shifts on
    output     [ACC-1:0]     sum,   // EDGE 1: of this cycle
    output     [ACC-1:0]     sum_q  // and a cycle later, for the row below
);
    reg [8*LANES-1:0] word, shadow; // shadow: LOAD 1 and 2 only
    reg [ACC-1:0]     below;
    reg signed [31:0] term; // the products of this cycle's words
    integer           l;

    wire [8*LANES-1:0]    operand = LOAD != 0 && first ? shadow : word;
    wire signed [ACC-1:0] added;

    always @* begin
        term = 0;
        for (l = 0; l < LANES; l = l + 1)
            term = term + $signed(a[8*l+:8]) * $signed(operand[8*l+:8]);
    end
    accumulate #(.ACC(ACC), .SAT(SAT)) adder (.to(sum_in), .term(term), .out(added));

    assign held  = LOAD == 0 ? word : shadow;
    assign sum_q = below;
    assign sum   = EDGE ? added : 0;

    always @(posedge clk) begin
        if (valid) begin
            below   <= added;
            a_q     <= a;
            first_q <= first;
            if (LOAD != 0 && first) word <= shadow;
        end
        if (shift) begin
            if (LOAD == 0) word <= above;
            else shadow <= above;
        end
        valid_q <= valid && !rst;
    end
endmodule
