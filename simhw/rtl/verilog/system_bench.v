// The test bench of a whole accelerator: an array, the double-buffered memory
// that feeds it and takes its sums, and DRAM. The array works on a tile, one
// product, out of one half of the buffers, while DRAM fills the other half with
// the next tile's operands and takes the sums of the tile before. The buffers'
// controller waits for the array itself; no time is told to it.
//
// FLOW, VARIANT, GATED, ROWS, COLS, LANES: as in array_bench. WIDTH: words that
// DRAM moves in a cycle; an operand word of LANES bytes and a sum are a word each.
// +in names a file of runs, each "tiles" and then for each tile "m n steps loads",
// m lines of inputs and, if loads is 1, n lines of weights, steps hexadecimal words
// a line. A tile that loads no weights uses those of the tile before. +out names
// the file that gets, for each run, the cycles and for each tile m lines of n sums.
// F, M, N and K bound tiles, m, n and steps.
module system_bench;
    parameter FLOW    = 0;
    parameter VARIANT = 1; // of FLOW 0: 1 or 2, which give their sums at the lower edge
    parameter GATED   = 0;
    parameter ROWS    = 4;
    parameter COLS    = 4;
    parameter LANES   = 1;
    parameter WIDTH   = 4;
    parameter F       = 8;
    parameter M       = 16;
    parameter N       = 16;
    parameter K       = 16;
    localparam ACC = 32;
    localparam D   = 16;
    localparam W   = 8 * LANES;

    reg          clk = 0, rst = 1, start = 0;
    integer      tiles;
    integer      m[0:F-1], n[0:F-1], steps[0:F-1], loads[0:F-1];
    integer      half[0:F-1]; // of the weight buffer, that a tile uses
    reg  [W-1:0] dram_x[0:F*M*K-1], dram_w[0:F*N*K-1];
    integer      dram_out[0:F*M*N-1];
    // The buffers, two halves each.
    reg  [W-1:0] inputs[0:2*M*K-1], weights[0:2*N*K-1];
    reg signed [ACC-1:0] sums[0:2*M*N-1];

    wire         busy, launch, go;
    wire [D-1:0] read_tile, write_tile, reads, writes, read_at, write_at, tile;
    wire [D-1:0] tiles_d = tiles;
    // Asked for at each clock edge; answered in the middle of the cycle.
    reg  [D-1:0] read_words, write_words, rows_of, cols_of, len;
    integer      inputs_at; // of the tile that is fetched: its words of input
    always @(negedge clk) begin
        inputs_at   = m[read_tile] * steps[read_tile];
        read_words  = inputs_at + (loads[read_tile] ? n[read_tile] * steps[read_tile] : 0);
        write_words = m[write_tile] * n[write_tile];
    end
    always @(tile) if (tile < tiles) begin
        rows_of = FLOW == 0 ? m[tile] : steps[tile];
        cols_of = FLOW == 2 ? m[tile] : n[tile];
        len     = FLOW == 0 ? steps[tile] : FLOW == 1 ? m[tile] : n[tile];
    end

    wire array_busy, finishing;
    double_buffer #(.WIDTH(WIDTH), .D(D)) memory (
        .clk(clk), .rst(rst), .start(start), .tiles(tiles_d), .busy(busy),
        .read_tile(read_tile), .read_words(read_words), .write_tile(write_tile), .write_words(write_words),
        .reads(reads), .read_at(read_at), .writes(writes), .write_at(write_at),
        .launch(launch), .go(go), .tile(tile), .done(finishing || !array_busy)
    );

    // DRAM's side of the buffers.
    integer j, word;
    always @(posedge clk) begin
        for (j = 0; j < reads; j = j + 1) begin
            word = read_at + j;
            if (word < inputs_at)
                inputs[read_tile[0]*M*K+word] <= dram_x[read_tile*M*K+word];
            else
                weights[half[read_tile]*N*K+word-inputs_at] <= dram_w[read_tile*N*K+word-inputs_at];
        end
        for (j = 0; j < writes; j = j + 1)
            dram_out[write_tile*M*N+write_at+j] <= sums[write_tile[0]*M*N+write_at+j];
    end

    // The array's side.
    wire [D-1:0]        a_line, a_step, b_line, b_step;
    reg  [ROWS*W-1:0]   a_data;
    reg  [COLS*W-1:0]   b_data;
    wire [COLS-1:0]     out_valid;
    wire [COLS*D-1:0]   out_line, out_base;
    wire [COLS*ACC-1:0] out_sum;
    integer p, at;
    always @(negedge clk) if (array_busy) begin
        for (p = 0; p < ROWS; p = p + 1) begin
            at = FLOW == 0 ? (a_line + p) * steps[tile] + a_step : a_line * steps[tile] + a_step + p;
            a_data[p*W+:W] = FLOW == 2 ? weights[half[tile]*N*K+at] : inputs[tile[0]*M*K+at];
        end
        for (p = 0; p < COLS; p = p + 1) begin
            at = (b_line + p) * steps[tile] + b_step;
            b_data[p*W+:W] = FLOW == 2 ? inputs[tile[0]*M*K+at] : weights[half[tile]*N*K+at];
        end
    end

    generate
        if (FLOW == 0) begin : os
            os_array #(.ROWS(ROWS), .COLS(COLS), .LANES(LANES), .ACC(ACC), .DRAIN(VARIANT), .GATED(GATED), .D(D)) dut (
                .clk(clk), .rst(rst), .start(launch), .sr(rows_of), .sc(cols_of), .len(len), .busy(array_busy), .finishing(finishing),
                .a_line(a_line), .b_line(b_line), .step(a_step), .a_data(a_data), .b_data(b_data),
                .out_valid(out_valid), .out_line(out_line), .out_base(out_base), .out_sum(out_sum)
            );
            assign b_step = a_step;
        end else begin : ws
            ws_array #(.ROWS(ROWS), .COLS(COLS), .LANES(LANES), .ACC(ACC), .LOAD(VARIANT), .GATED(GATED), .D(D)) dut (
                .clk(clk), .rst(rst), .start(launch), .sr(rows_of), .sc(cols_of), .len(len), .busy(array_busy), .finishing(finishing),
                .item(a_line), .a_step(a_step), .a_data(a_data),
                .w_line(b_line), .w_step(b_step), .w_data(b_data),
                .out_valid(out_valid), .out_item(out_line), .out_base(out_base), .out_sum(out_sum)
            );
        end
    endgenerate

    integer c, line, col, to;
    always @(posedge clk) begin
        // The half of the sums that the next tile adds to: read_tile is next.
        if (launch)
            for (c = 0; c < M * N; c = c + 1) sums[read_tile[0]*M*N+c] <= 0;
        if (array_busy)
            for (c = 0; c < COLS; c = c + 1)
                if (out_valid[c]) begin
                    line = out_line[c*D+:D];
                    col  = out_base[c*D+:D] + c;
                    to   = tile[0] * M * N + (FLOW == 2 ? col * n[tile] + line : line * n[tile] + col);
                    sums[to] <= sums[to] + $signed(out_sum[c*ACC+:ACC]);
                end
    end

    integer cycles;
    always @(posedge clk) if (busy) cycles <= cycles + 1;
    always #1 clk = !clk;

    reg [8191:0] name;
    integer in, out, i, k, got, limit, f0, f1, f2, f3;
    reg [W-1:0] operand;
    initial begin
        got = $value$plusargs("in=%s", name);
        in  = $fopen(name, "r");
        got = $value$plusargs("out=%s", name);
        out = $fopen(name, "w");
        if (in == 0 || out == 0) begin
            $display("system_bench: want +in=FILE that exists and +out=FILE that may be written");
            $finish;
        end
        {rows_of, cols_of, len} = {3{16'd1}}; // until there is a tile
        repeat (2) @(negedge clk);
        rst = 0;
        while ($fscanf(in, "%d", tiles) == 1) begin
            limit = 1000;
            for (i = 0; i < tiles; i = i + 1) begin
                got      = $fscanf(in, "%d %d %d %d", f0, f1, f2, f3);
                m[i]     = f0;
                n[i]     = f1;
                steps[i] = f2;
                loads[i] = f3;
                for (k = 0; k < m[i] * steps[i]; k = k + 1) begin
                    got = $fscanf(in, "%h", operand);
                    dram_x[i*M*K+k] = operand;
                end
                if (loads[i])
                    for (k = 0; k < n[i] * steps[i]; k = k + 1) begin
                        got = $fscanf(in, "%h", operand);
                        dram_w[i*N*K+k] = operand;
                    end
                for (k = 0; k < m[i] * n[i]; k = k + 1) dram_out[i*M*N+k] = 32'bx;
                half[i] = i == 0 ? 0 : loads[i] ? 1 - half[i-1] : half[i-1];
                limit   = limit + (m[i] + n[i]) * steps[i] + m[i] * n[i]
                        + 4 * (m[i] + ROWS) * (n[i] + COLS) * (steps[i] + 2 * ROWS + COLS);
            end
            start  = 1;
            cycles = 0;
            @(negedge clk);
            start = 0;
            while (busy && cycles < limit) @(negedge clk);
            if (busy) begin
                $display("system_bench: still busy after %0d cycles", cycles);
                $finish;
            end
            $fwrite(out, "%0d\n", cycles);
            for (i = 0; i < tiles; i = i + 1)
                for (k = 0; k < m[i] * n[i]; k = k + 1) $fwrite(out, "%0d\n", dram_out[i*M*N+k]);
        end
        $fclose(out);
        $finish;
    end
endmodule
