// The test bench of the XNOR-popcount engine: takes products from a file, one
// after the other, and writes for each the cycles and the sums.
//
// +in names the file of products, each "vectors outputs bits" and then, in
// hexadecimal words of SIMD bits, the vectors and the lines of weights. +out
// names the file that gets, for each, the cycles and a line of sums a vector.
// V, N and K bound vectors, outputs and words of a vector.
module xnor_bench;
    parameter PES  = 4;
    parameter SIMD = 8;
    parameter PIPE = 0;
    parameter V    = 16;
    parameter N    = 16;
    parameter K    = 16;
    localparam ACC = 16;
    localparam D   = 16;

    reg            clk = 0, rst = 1, start = 0;
    integer        vectors, outputs, bits; // of the product at hand
    integer        words;
    reg [SIMD-1:0] x[0:V*K-1], w[0:N*K-1];
    reg signed [ACC-1:0] sums[0:V*N-1];

    wire                busy;
    wire [D-1:0]        vector, line, word, out_vector, out_line;
    reg  [SIMD-1:0]     x_data;
    reg  [PES*SIMD-1:0] w_data;
    wire [PES-1:0]      out_valid;
    wire [PES*ACC-1:0]  out_sum;
    wire [D-1:0]        vectors_d = vectors, outputs_d = outputs, bits_d = bits;

    // The buffers. (Not @*, which would watch every word of the memories; they
    // change before start only.)
    integer p;
    always @(vector, line, word, start) begin
        x_data = x[vector*words+word];
        for (p = 0; p < PES; p = p + 1) w_data[p*SIMD+:SIMD] = w[(line+p)*words+word];
    end

    xnor_engine #(.PES(PES), .SIMD(SIMD), .PIPE(PIPE), .ACC(ACC), .D(D)) dut (
        .clk(clk), .rst(rst), .start(start), .vectors(vectors_d), .outputs(outputs_d), .bits(bits_d), .busy(busy),
        .vector(vector), .line(line), .word(word), .x_data(x_data), .w_data(w_data),
        .out_valid(out_valid), .out_vector(out_vector), .out_line(out_line), .out_sum(out_sum)
    );

    integer q;
    always @(posedge clk)
        for (q = 0; q < PES; q = q + 1)
            if (out_valid[q]) sums[out_vector*outputs+out_line+q] <= out_sum[q*ACC+:ACC];

    integer cycles;
    always @(posedge clk) if (busy) cycles <= cycles + 1;
    always #1 clk = !clk;

    reg [8191:0] name;
    integer in, out, i, j, got, limit;
    initial begin
        got = $value$plusargs("in=%s", name);
        in  = $fopen(name, "r");
        got = $value$plusargs("out=%s", name);
        out = $fopen(name, "w");
        if (in == 0 || out == 0) begin
            $display("xnor_bench: want +in=FILE that exists and +out=FILE that may be written");
            $finish;
        end
        repeat (2) @(negedge clk);
        rst = 0;
        while ($fscanf(in, "%d %d %d", vectors, outputs, bits) == 3) begin
            words = (bits + SIMD - 1) / SIMD;
            for (i = 0; i < vectors * words; i = i + 1) got = $fscanf(in, "%h", x[i]);
            for (i = 0; i < outputs * words; i = i + 1) got = $fscanf(in, "%h", w[i]);
            for (i = 0; i < vectors * outputs; i = i + 1) sums[i] = {ACC{1'bx}};
            // Far more than it needs: a machine that hangs is an error.
            limit  = 1000 + 2 * vectors * outputs * words;
            start  = 1;
            cycles = 0;
            @(negedge clk);
            start = 0;
            while (busy && cycles < limit) @(negedge clk);
            if (busy) begin
                $display("xnor_bench: still busy after %0d cycles", cycles);
                $finish;
            end
            @(negedge clk);
            $fwrite(out, "%0d\n", cycles);
            for (i = 0; i < vectors; i = i + 1) begin
                for (j = 0; j < outputs; j = j + 1) $fwrite(out, "%0d ", sums[i*outputs+j]);
                $fwrite(out, "\n");
            end
        end
        $fclose(out);
        $finish;
    end
endmodule
