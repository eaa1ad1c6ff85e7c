// A processing element of the output-stationary array. Operands pass through,
// a to the right and b downwards, one element a cycle; the sum stays.
//
// DRAIN 0: the sum is read where it stands. DRAIN 1: while shift is set, it
// is replaced by the sum of the element above. DRAIN 2: a finished sum is
// copied to a drain register, and those move down while shift is set.
module os_pe #(
    parameter LANES = 1,
    parameter ACC   = 32,
    parameter SAT   = 0,
    parameter DRAIN = 0
) (
    input                    clk,
    input                    rst,
    input      [8*LANES-1:0] a,
    input                    valid, // a and b hold operands
    input                    first, // of this sum
    input                    last,
    input      [8*LANES-1:0] b,
    input                    shift,
    input      [ACC-1:0]     above, // what moves in from the row above
    output reg [8*LANES-1:0] a_q,
    output reg               valid_q,
    output reg               first_q,
    output reg               last_q,
    output reg [8*LANES-1:0] b_q,
    output     [ACC-1:0]     held   // what moves on to the row below
);
    reg signed [ACC-1:0] sum, kept; // kept: DRAIN 2 only
    reg signed [ACC-1:0] next;

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

    assign held = DRAIN == 2 ? kept : sum;

    always @(posedge clk) begin
        if (valid) begin
            next = add(first ? 0 : sum, a, b);
            sum     <= next;
            a_q     <= a;
            b_q     <= b;
            first_q <= first;
            last_q  <= last;
        end else if (DRAIN == 1 && shift) begin
            sum <= above;
        end
        if (DRAIN == 2) begin
            if (valid && last) kept <= next;
            else if (shift) kept <= above;
        end
        valid_q <= valid && !rst;
    end
endmodule
