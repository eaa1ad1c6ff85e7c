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
    reg signed [31:0]     term; // the products of this cycle's words
    integer               l;
    wire signed [ACC-1:0] added;

    always @* begin
        term = 0;
        for (l = 0; l < LANES; l = l + 1)
            term = term + $signed(a[8*l+:8]) * $signed(b[8*l+:8]);
    end
    accumulate #(.ACC(ACC), .SAT(SAT)) adder (.to(first ? {ACC{1'b0}} : sum), .term(term), .out(added));

    assign held = DRAIN == 2 ? kept : sum;

    always @(posedge clk) begin
        if (valid) begin
            sum     <= added;
            a_q     <= a;
            b_q     <= b;
            first_q <= first;
            last_q  <= last;
        end else if (DRAIN == 1 && shift) begin
            sum <= above;
        end
        if (DRAIN == 2) begin
            if (valid && last) kept <= added;
            else if (shift) kept <= above;
        end
        valid_q <= valid && !rst;
    end
endmodule
