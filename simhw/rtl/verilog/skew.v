// Delays lane i of N by i cycles, the lanes side by side, lane 0
// lowest: the triangle of registers between a buffer and an array's edge.
module skew #(
    parameter N = 4,
    parameter W = 8
) (
    input            clk,
    input  [N*W-1:0] in,
    output [N*W-1:0] out
);
    genvar i;
    generate
        for (i = 0; i < N; i = i + 1) begin : lane
            if (i == 0) begin : direct
                assign out[0+:W] = in[0+:W];
            end else begin : delayed
                reg [i*W-1:0] line; // the oldest word highest
                always @(posedge clk) line <= {line, in[i*W+:W]};
                assign out[i*W+:W] = line[(i-1)*W+:W];
            end
        end
    endgenerate
endmodule
