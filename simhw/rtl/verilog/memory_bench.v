// The test bench of the double buffer: a DRAM, the banks, and a machine that
// needs a given time for a tile and makes outputs that tell whether its bank
// held the tile's words when it began and when it ended.
//
// +in names a file of runs, each "tiles" and then for each tile "work reads
// writes" and the words to read, decimal. Output j of a tile is
// j + 3·(sum of its words at the begin) + 5·(sum at the end), 32 bits. +out
// names the file that gets, for each run, the cycles and a line of outputs a
// tile. F, RD and WR bound tiles, words read and words written of a tile.
module memory_bench;
    parameter WIDTH = 4;
    parameter F     = 16;
    parameter RD    = 64;
    parameter WR    = 64;
    localparam D = 16;

    reg     clk = 0, rst = 1, start = 0;
    integer tiles;
    integer work[0:F-1], rd[0:F-1], wr[0:F-1];
    integer dram_in[0:F*RD-1], dram_out[0:F*WR-1];
    integer bank_in[0:2*RD-1], bank_out[0:2*WR-1];

    wire         busy, go;
    wire [D-1:0] read_tile, write_tile, reads, writes, read_at, write_at, tile;
    wire [D-1:0] tiles_d = tiles;
    reg  [D-1:0] read_words, write_words;
    always @(read_tile, start) read_words = rd[read_tile];
    always @(write_tile, start) write_words = wr[write_tile];

    // The machine: left counts the tile's cycles that are still to come.
    integer at_begin, at_end, left, j;
    wire    done = go ? work[tile] == 1 : left <= 1;

    double_buffer #(.WIDTH(WIDTH), .D(D)) dut (
        .clk(clk), .rst(rst), .start(start), .tiles(tiles_d), .busy(busy),
        .read_tile(read_tile), .read_words(read_words), .write_tile(write_tile), .write_words(write_words),
        .reads(reads), .read_at(read_at), .writes(writes), .write_at(write_at),
        .launch(), .go(go), .tile(tile), .done(done)
    );

    integer k;
    always @(posedge clk) begin
        // DRAM.
        for (k = 0; k < reads; k = k + 1)
            bank_in[read_tile[0]*RD+read_at+k] <= dram_in[read_tile*RD+read_at+k];
        for (k = 0; k < writes; k = k + 1)
            dram_out[write_tile*WR+write_at+k] <= bank_out[write_tile[0]*WR+write_at+k];
    end
    always @(posedge clk) if (busy) begin
        if (go) begin
            at_begin = 0;
            for (j = 0; j < rd[tile]; j = j + 1) at_begin = at_begin + bank_in[tile[0]*RD+j];
        end
        if (go ? work[tile] == 1 : left == 1) begin
            at_end = 0;
            for (j = 0; j < rd[tile]; j = j + 1) at_end = at_end + bank_in[tile[0]*RD+j];
            for (j = 0; j < wr[tile]; j = j + 1) bank_out[tile[0]*WR+j] <= j + 3 * at_begin + 5 * at_end;
        end
        left <= (go ? work[tile] : left) - 1;
    end

    integer cycles;
    always @(posedge clk) if (busy) cycles <= cycles + 1;
    always #1 clk = !clk;

    reg [8191:0] name;
    integer in, out, i, m, got, limit, a, b, c;
    initial begin
        got = $value$plusargs("in=%s", name);
        in  = $fopen(name, "r");
        got = $value$plusargs("out=%s", name);
        out = $fopen(name, "w");
        if (in == 0 || out == 0) begin
            $display("memory_bench: want +in=FILE that exists and +out=FILE that may be written");
            $finish;
        end
        repeat (2) @(negedge clk);
        rst = 0;
        while ($fscanf(in, "%d", tiles) == 1) begin
            limit = 1000;
            for (i = 0; i < tiles; i = i + 1) begin
                got     = $fscanf(in, "%d %d %d", a, b, c);
                work[i] = a;
                rd[i]   = b;
                wr[i]   = c;
                limit   = limit + a + b + c;
                for (m = 0; m < rd[i]; m = m + 1) begin
                    got = $fscanf(in, "%d", a);
                    dram_in[i*RD+m] = a;
                end
                for (m = 0; m < wr[i]; m = m + 1) dram_out[i*WR+m] = 32'bx;
            end
            start  = 1;
            cycles = 0;
            @(negedge clk);
            start = 0;
            while (busy && cycles < limit) @(negedge clk);
            if (busy) begin
                $display("memory_bench: still busy after %0d cycles", cycles);
                $finish;
            end
            $fwrite(out, "%0d\n", cycles);
            for (i = 0; i < tiles; i = i + 1) begin
                for (m = 0; m < wr[i]; m = m + 1) $fwrite(out, "%0d ", dram_out[i*WR+m]);
                $fwrite(out, "\n");
            end
        end
        $fclose(out);
        $finish;
    end
endmodule
