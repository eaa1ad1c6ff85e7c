// An XNOR-popcount engine: PES rows, each of which compares SIMD bits of a
// vector with SIMD of its weights in a cycle and counts. Bits are ±1 (1 is +1),
// so that a sum of n products is n minus twice the bits that differ.
//
// For each of the vectors, and each group of PES outputs, a vector's words pass
// one a cycle. Outputs of a group appear together, out_valid marks those that
// exist. PIPE puts that many registers between counting and summing. It starts
// in the cycle after start and is busy until the clock edge that finishes the
// last sum. Bits past the last of a vector do not count, whatever they hold.
module xnor_engine #(
    parameter PES  = 4,
    parameter SIMD = 8,
    parameter PIPE = 0,
    parameter ACC  = 16,
    parameter D    = 16 // bits of a dimension
) (
    input                 clk,
    input                 rst,
    input                 start,
    input  [D-1:0]        vectors,
    input  [D-1:0]        outputs, // of a vector
    input  [D-1:0]        bits,    // of a vector
    output                busy,
    output reg [D-1:0]    vector,  // asks for word of vector
    output reg [D-1:0]    line,    // and of weight lines line, line+1, …
    output reg [D-1:0]    word,
    input  [SIMD-1:0]     x_data,
    input  [PES*SIMD-1:0] w_data,  // line's lowest
    output reg [PES-1:0]  out_valid,
    output reg [D-1:0]    out_vector,
    output reg [D-1:0]    out_line,
    output [PES*ACC-1:0]  out_sum
);
    integer i;
    genvar  p;

    // --- the sequence of words ---

    reg          issue;
    reg  [D-1:0] left; // bits of the vector from this word on
    wire         last_word   = left <= SIMD;
    wire         last_line   = outputs - line <= PES;
    wire         last_vector = vector == vectors - 1;

    always @(posedge clk) begin
        if (rst || start) begin
            {vector, line, word} <= 0;
            left  <= bits;
            issue <= !rst;
        end else if (issue) begin
            word <= last_word ? 0 : word + 1;
            left <= last_word ? bits : left - SIMD;
            if (last_word) begin
                line <= last_line ? 0 : line + PES;
                if (last_line) begin
                    vector <= vector + 1;
                    issue  <= !last_vector;
                end
            end
        end
    end

    // --- what travels with a word through the pipe ---

    localparam       T = 3 + 2 * D;
    wire [T-1:0]     tag = {issue, word == 0, last_word, vector, line};
    wire [T-1:0]     tag_end;
    reg  [SIMD-1:0]  mask;
    always @* for (i = 0; i < SIMD; i = i + 1) mask[i] = i < left;

    generate
        if (PIPE == 0) begin : short
            assign tag_end = tag;
            assign busy    = issue;
        end else begin : long
            reg  [PIPE*T-1:0] tags;
            reg  [PIPE-1:0]   in_pipe;
            always @(posedge clk) begin
                tags    <= rst ? 0 : {tags, tag};
                in_pipe <= rst ? 0 : {in_pipe, issue};
            end
            assign tag_end = tags[(PIPE-1)*T+:T];
            assign busy    = issue || in_pipe != 0;
        end
    endgenerate
    wire         valid = tag_end[T-1];
    wire         first = tag_end[T-2];
    wire         last  = tag_end[T-3];
    wire [D-1:0] at    = tag_end[D-1:0];

    always @(posedge clk) begin
        for (i = 0; i < PES; i = i + 1)
            out_valid[i] <= valid && last && at + i < outputs && !rst;
        out_vector <= tag_end[2*D-1:D];
        out_line   <= at;
    end

    generate
        for (p = 0; p < PES; p = p + 1) begin : pe
            reg  [SIMD-1:0] differ;
            reg  [ACC-1:0]  seen, count; // bits that differ; they, at the pipe's end
            reg  [ACC-1:0]  sum;
            integer         j;
            always @* begin
                differ = (x_data ^ w_data[p*SIMD+:SIMD]) & mask;
                seen   = 0;
                for (j = 0; j < SIMD; j = j + 1) seen = seen + differ[j];
            end
            if (PIPE == 0) begin : short
                always @* count = seen;
            end else begin : long
                reg [PIPE*ACC-1:0] counts;
                always @(posedge clk) counts <= {counts, seen};
                always @* count = counts[(PIPE-1)*ACC+:ACC];
            end
            always @(posedge clk)
                if (valid) sum <= (first ? bits : sum) - (count << 1);
            assign out_sum[p*ACC+:ACC] = sum;
        end
    endgenerate
endmodule
