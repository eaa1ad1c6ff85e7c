// Adds to a sum of ACC bits, 2 to 32. What does not fit wraps around, or with SAT 1
// becomes the nearest value that fits.
module accumulate #(
    parameter ACC = 32,
    parameter SAT = 0
) (
    input  signed [ACC-1:0] to,
    input  signed [31:0]    term,
    output signed [ACC-1:0] out
);
    wire signed [32:0] exact = to + term;
    wire               fits  = exact[32:ACC-1] == {(34-ACC){exact[32]}};
    assign out = SAT && !fits ? {exact[32], {(ACC-1){!exact[32]}}} : exact[ACC-1:0];
endmodule
