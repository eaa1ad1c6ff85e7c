// The test bench of both arrays: takes products from a file, one after the
// other, and writes for each the cycles and the sums.
//
// FLOW 0, 1, 2: output, weight, input stationary; VARIANT is DRAIN or LOAD of
// the array. +in names the file of products, each "m n steps" and then, in
// hexadecimal words of LANES bytes, m lines of inputs and n lines of weights,
// steps words a line. +out names the file that gets, for each, "cycles" and m
// lines of n sums. M, N and K bound m, n and steps.
//
// IFMAP, FILTER and OFMAP are bytes a cycle of buffers that are narrower than the array's
// edges, 0 where they are not (and in an array that is read in place). SHARED 1: partial
// sums that leave and those that they are added to use the same port. The array's clock
// stands still until the lines of its step have crossed.
module array_bench;
    parameter FLOW    = 0;
    parameter VARIANT = 0;
    parameter GATED   = 0;
    parameter ROWS    = 4;
    parameter COLS    = 4;
    parameter LANES   = 1;
    parameter M       = 16;
    parameter N       = 16;
    parameter K       = 16;
    parameter ACC     = 32;
    parameter SAT     = 0;
    parameter IFMAP   = 0;
    parameter FILTER  = 0;
    parameter OFMAP   = 0;
    parameter SHARED  = 0;
    localparam D   = 16;
    localparam W   = 8 * LANES;

    reg          clk = 0, rst = 1, start = 0;
    integer      m, n, steps; // of the product at hand
    reg  [W-1:0] inputs[0:M*K-1], weights[0:N*K-1];
    reg signed [ACC-1:0] sums[0:M*N-1];

    wire busy;
    wire [D-1:0] rows_of = FLOW == 0 ? m : steps;
    wire [D-1:0] cols_of = FLOW == 2 ? m : n;
    wire [D-1:0] len     = FLOW == 0 ? steps : FLOW == 1 ? m : n;

    wire [D-1:0]        a_line, a_step, b_line, b_step; // of row or column 0
    reg  [ROWS*W-1:0]   a_data;
    reg  [COLS*W-1:0]   b_data;
    wire [COLS-1:0]     out_valid;
    wire [COLS*D-1:0]   out_line, out_base;
    wire [COLS*ACC-1:0] out_sum;

    // The operand buffers. In the weight-stationary array rows are steps of K,
    // and the lines, operands or columns, are what m or n counts. (Not @*, which
    // would watch every word of the memories; they change before start only.)
    integer p, q, at;
    always @(a_line, a_step, start) begin
        for (p = 0; p < ROWS; p = p + 1) begin
            at = FLOW == 0 ? (a_line + p) * steps + a_step : a_line * steps + a_step + p;
            a_data[p*W+:W] = FLOW == 2 ? weights[at] : inputs[at];
        end
    end
    always @(b_line, b_step, start) begin
        for (q = 0; q < COLS; q = q + 1)
            b_data[q*W+:W] = FLOW == 2 ? inputs[(b_line+q)*steps+b_step] : weights[(b_line+q)*steps+b_step];
    end

    // The buffers' widths, and the array's clock. Lines are those of the largest fold.
    wire        enters, loads, leaves, in_ready, load_ready, out_ready;
    wire        advance   = rst || in_ready && load_ready && out_ready;
    wire [31:0] used_rows = rows_of < ROWS ? rows_of : ROWS;
    wire [31:0] used_cols = cols_of < COLS ? cols_of : COLS;
    wire [31:0] in_bits   = used_rows * W;
    wire [31:0] load_bits = used_cols * W;
    wire [31:0] out_bits  = used_cols * ACC;
    wire        returns   = SHARED && FLOW != 0 && rows_of > ROWS;
    reg         open;
    wire        array_clk = clk && open;
    always @* if (!clk) open = advance;
    narrow_buffer #(.WIDTH(8*(FLOW==2?FILTER:IFMAP)), .D(32)) in_buffer (
        .clk(clk), .rst(rst), .lines({1'b0, enters}), .line_bits(in_bits), .advance(advance), .ready(in_ready));
    narrow_buffer #(.WIDTH(8*(FLOW==2?IFMAP:FILTER)), .D(32)) load_buffer (
        .clk(clk), .rst(rst), .lines({1'b0, loads}), .line_bits(load_bits), .advance(advance), .ready(load_ready));
    narrow_buffer #(.WIDTH(8*OFMAP), .D(32)) out_buffer (
        .clk(clk), .rst(rst), .lines({leaves && returns, leaves && !returns}), .line_bits(out_bits), .advance(advance), .ready(out_ready));

    genvar r, c;
    generate
        if (FLOW == 0) begin : os
            os_array #(.ROWS(ROWS), .COLS(COLS), .LANES(LANES), .ACC(ACC), .SAT(SAT), .DRAIN(VARIANT), .GATED(GATED), .D(D)) dut (
                .clk(array_clk), .rst(rst), .start(start), .sr(rows_of), .sc(cols_of), .len(len), .busy(busy), .finishing(),
                .a_line(a_line), .b_line(b_line), .step(a_step), .a_data(a_data), .b_data(b_data),
                .out_valid(out_valid), .out_line(out_line), .out_base(out_base), .out_sum(out_sum),
                .enters(enters), .leaves(leaves)
            );
            assign b_step = a_step;
            assign loads  = enters;
        end else begin : ws
            ws_array #(.ROWS(ROWS), .COLS(COLS), .LANES(LANES), .ACC(ACC), .SAT(SAT), .LOAD(VARIANT), .GATED(GATED), .D(D)) dut (
                .clk(array_clk), .rst(rst), .start(start), .sr(rows_of), .sc(cols_of), .len(len), .busy(busy), .finishing(),
                .item(a_line), .a_step(a_step), .a_data(a_data),
                .w_line(b_line), .w_step(b_step), .w_data(b_data),
                .out_valid(out_valid), .out_item(out_line), .out_base(out_base), .out_sum(out_sum),
                .enters(enters), .loads(loads), .leaves(leaves)
            );
        end

        if (FLOW == 0 && VARIANT == 0) begin : in_place
            // Read where they stand, in the cycle after the one that finished them.
            reg [D-1:0] r0, c0;
            always @(posedge array_clk) {r0, c0} <= {os.dut.r0, os.dut.c0};
            for (r = 0; r < ROWS; r = r + 1) begin : row
                for (c = 0; c < COLS; c = c + 1) begin : col
                    always @(posedge array_clk)
                        if (os.dut.row[r].col[c].pe.valid_q && os.dut.row[r].col[c].pe.last_q && r0 + r < m && c0 + c < n)
                            sums[(r0+r)*n+c0+c] <= os.dut.row[r].col[c].pe.sum;
                end
            end
        end else begin : leaving
            integer i, at, line, col, exact;
            reg signed [ACC-1:0] fit;
            always @(posedge array_clk)
                for (i = 0; i < COLS; i = i + 1)
                    if (out_valid[i]) begin
                        line = out_line[i*D+:D];
                        col  = out_base[i*D+:D] + i;
                        at   = FLOW == 2 ? col * n + line : line * n + col;
                        // The stationary arrays give one sum for each row fold, which
                        // the buffer adds in as many bits.
                        exact = (FLOW == 0 ? 0 : sums[at]) + $signed(out_sum[i*ACC+:ACC]);
                        fit   = exact;
                        if (SAT && fit != exact) fit = exact < 0 ? {1'b1, {(ACC-1){1'b0}}} : {1'b0, {(ACC-1){1'b1}}};
                        sums[at] <= fit;
                    end
        end
    endgenerate

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
            $display("array_bench: want +in=FILE that exists and +out=FILE that may be written");
            $finish;
        end
        repeat (2) @(negedge clk);
        rst = 0;
        while ($fscanf(in, "%d %d %d", m, n, steps) == 3) begin
            for (i = 0; i < m * steps; i = i + 1) got = $fscanf(in, "%h", inputs[i]);
            for (i = 0; i < n * steps; i = i + 1) got = $fscanf(in, "%h", weights[i]);
            for (i = 0; i < m * n; i = i + 1) sums[i] = FLOW == 0 ? {ACC{1'bx}} : 0;
            start  = 1;
            cycles = 0;
            @(negedge clk);
            start = 0;
            // Far more than any variant needs: a machine that hangs is an error. A buffer
            // gives at least a byte a cycle.
            limit = 1000 + 4 * ((rows_of + ROWS - 1) / ROWS) * ((cols_of + COLS - 1) / COLS) * (len + 2 * ROWS + COLS);
            if (IFMAP || FILTER || OFMAP) limit = limit * (1 + ROWS * LANES + COLS * LANES + COLS * ACC / 4);
            while (busy && cycles < limit) @(negedge clk);
            if (busy) begin
                $display("array_bench: still busy after %0d cycles", cycles);
                $finish;
            end
            @(negedge clk);
            $fwrite(out, "%0d\n", cycles);
            for (i = 0; i < m; i = i + 1) begin
                for (j = 0; j < n; j = j + 1) $fwrite(out, "%0d ", sums[i*n+j]);
                $fwrite(out, "\n");
            end
        end
        $fclose(out);
        $finish;
    end
endmodule
