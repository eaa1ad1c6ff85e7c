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

    // A word's products are added up exactly; the sum with them is brought into ACC bits.
    function [ACC-1:0] add(input signed [ACC-1:0] to, input [8*LANES-1:0] x, input [8*LANES-1:0] y);
        reg signed [32:0] exact;
        integer           l;
        begin
            exact = to;
            for (l = 0; l < LANES; l = l + 1)
                exact = exact + $signed(x[8*l+:8]) * $signed(y[8*l+:8]);
            add = exact;
            if (SAT && exact[32:ACC-1] != {(34-ACC){exact[32]}}) add = {exact[32], {(ACC-1){!exact[32]}}};
        end
    endfunction

    assign held  = LOAD == 0 ? word : shadow;
    assign sum_q = below;
    generate
        if (EDGE) assign sum = add(sum_in, a, LOAD != 0 && first ? shadow : word);
        else assign sum = 0;
    endgenerate

    always @(posedge clk) begin
        if (valid) begin
            below   <= add(sum_in, a, LOAD != 0 && first ? shadow : word);
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
