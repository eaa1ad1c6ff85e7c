// A systolic array of ROWS × COLS elements that hold one operand, with its
// sequencer: sr rows (steps along K) and sc columns of held words, past which
// len operands stream in each row, in folds of the array's size, row folds
// innermost. Holding weights makes it weight stationary, holding inputs input
// stationary; the array cannot tell.
//
// It starts in the cycle after start and is busy until the clock edge at which
// the last sum is taken from the last row. A sum belongs to one row fold: the
// buffer adds those of all. No duration is built in: a fold ends when its last
// operand has come to the last element, and folds that overlap are kept apart
// by interlocks.
//
//   LOAD 0   held words are shifted down the columns before each fold
//   LOAD 1   so are shadow words during the fold before
//   LOAD 2   a bus in each column brings a shadow word a cycle, each row takes its own
//   GATED 1  folds at the edge do not wait for idle rows and columns (LOAD 0 only)
//
// Two buffers answer in the same cycle: with a word for each row, operand item
// at steps a_step, a_step+1, … of K; and one for each column, step w_step of
// held columns w_line, w_line+1, …. Words of all rows or columns lie beside each
// other, row or column 0 lowest; so do the outputs, of which column c has that
// of operand out_item and held column out_base + c. sr, sc and len are at least
// 1 and stay while busy. enters and loads say that a line of words is taken from the one
// and the other buffer in this cycle, leaves that one of sums is complete with that of the
// last column.
module ws_array #(
    parameter ROWS  = 4,
    parameter COLS  = 4,
    parameter LANES = 1,
    parameter ACC   = 32,
    parameter SAT   = 0, // what does not fit ACC bits wraps around, or saturates
    parameter LOAD  = 0,
    parameter GATED = 0,
    parameter D     = 16 // bits of a dimension
) (
    input                     clk,
    input                     rst,
    input                     start,
    input  [D-1:0]            sr,
    input  [D-1:0]            sc,
    input  [D-1:0]            len,
    output reg                busy,
    output                    finishing, // the last busy cycle
    output reg [D-1:0]        item,
    output [D-1:0]            a_step,
    input  [ROWS*8*LANES-1:0] a_data,
    output [D-1:0]            w_line,
    output [D-1:0]            w_step,
    input  [COLS*8*LANES-1:0] w_data,
    output reg [COLS-1:0]     out_valid,
    output [COLS*D-1:0]       out_item,
    output [COLS*D-1:0]       out_base,
    output [COLS*ACC-1:0]     out_sum,
    output                    enters,
    output                    loads,
    output                    leaves
);
    localparam W = 8 * LANES;
    integer    i;
    genvar     r, c;

    // --- the fold that streams ---

    reg  [D-1:0] r0, c0; // its first row and column
    reg          streaming;
    wire         more_rows = sr - r0 > ROWS;
    wire         more_cols = sc - c0 > COLS;
    wire         final     = !more_rows && !more_cols;
    wire [D-1:0] work_rows = more_rows ? ROWS : sr - r0;
    wire [D-1:0] work_cols = more_cols ? COLS : sc - c0;
    wire [D-1:0] rows      = GATED ? work_rows : ROWS; // that the fold waits for
    wire [D-1:0] cols      = GATED ? work_cols : COLS;
    wire [D-1:0] tap       = rows - 1; // the row that sums leave by

    assign a_step = r0;
    assign enters = issue;

    wire loaded; // row 0 of column 0 has its word, and each further one when it needs it
    wire ending; // the fold's last cycle; the next one starts after it
    wire issue       = streaming && (item != 0 || loaded);
    wire issue_first = issue && item == 0;
    wire issue_last  = issue && item == len - 1;

    always @(posedge clk) begin
        if (rst || start) begin
            {r0, c0, item} <= 0;
            streaming      <= !rst;
        end else begin
            if (issue) item <= issue_last ? 0 : item + 1;
            if (issue_last) streaming <= 0;
            if (ending) begin
                streaming <= !final;
                r0        <= more_rows ? r0 + ROWS : 0;
                c0        <= more_rows ? c0 : more_cols ? c0 + COLS : 0;
            end
        end
    end

    // --- the left edge: each row a cycle after the one above ---

    reg  [ROWS-1:0]   row_valid_q, row_first_q, row_last_q, row_final_q;
    reg  [ROWS*D-1:0] row_item_q, row_c0_q;
    wire [ROWS-1:0]   row_valid = {row_valid_q, issue};
    wire [ROWS-1:0]   row_first = {row_first_q, item == 0};
    wire [ROWS-1:0]   row_last  = {row_last_q, issue_last};
    wire [ROWS-1:0]   row_final = {row_final_q, final};
    wire [ROWS*D-1:0] row_item  = {row_item_q, item};
    wire [ROWS*D-1:0] row_c0    = {row_c0_q, c0};
    reg  [ROWS*W-1:0] a_words;
    wire [ROWS*W-1:0] a_edge;

    always @(posedge clk) begin
        // A gated array's idle rows get nothing.
        for (i = 0; i < ROWS; i = i + 1)
            row_valid_q[i] <= row_valid[i] && i + 1 < rows && !rst;
        row_first_q <= row_first;
        row_last_q  <= row_last;
        row_final_q <= row_final;
        row_item_q  <= row_item;
        row_c0_q    <= row_c0;
    end

    // Rows without work get zeros.
    always @* begin
        a_words = a_data;
        for (i = 0; i < ROWS; i = i + 1) if (i >= work_rows) a_words[i*W+:W] = 0;
    end
    skew #(.N(ROWS), .W(W)) a_skew (.clk(clk), .in(a_words), .out(a_edge));

    // --- the elements ---

    wire [COLS-1:0]   shift;  // LOAD 0 and 1: by column
    wire [COLS*W-1:0] w_edge; // the words that enter the columns
    wire              take_word[0:ROWS*COLS-1]; // LOAD 2: the element takes the bus's word

    // Nets between them: into element (r, c) from the left by index
    // r(COLS+1)+c, from above by r·COLS+c.
    wire [W-1:0]   a[0:ROWS*(COLS+1)-1], held[0:(ROWS+1)*COLS-1];
    wire           valid[0:ROWS*(COLS+1)-1], first[0:ROWS*(COLS+1)-1];
    wire [ACC-1:0] sum_in[0:(ROWS+1)*COLS-1], sum[0:(ROWS+1)*COLS-1], pick[0:(ROWS+1)*COLS-1];

    generate
        for (r = 0; r < ROWS; r = r + 1) begin : left
            assign a[r*(COLS+1)]     = a_edge[r*W+:W];
            assign valid[r*(COLS+1)] = row_valid[r];
            assign first[r*(COLS+1)] = row_first[r];
        end
        for (c = 0; c < COLS; c = c + 1) begin : upper
            assign held[c]   = w_edge[c*W+:W];
            assign sum_in[c] = 0;
            assign pick[c]   = 0;
            assign out_sum[c*ACC+:ACC] = GATED ? pick[ROWS*COLS+c] : sum[ROWS*COLS+c];
        end
        for (r = 0; r < ROWS; r = r + 1) begin : row
            for (c = 0; c < COLS; c = c + 1) begin : col
                ws_pe #(.LANES(LANES), .ACC(ACC), .SAT(SAT), .LOAD(LOAD), .EDGE(GATED || r == ROWS - 1)) pe (
                    .clk(clk), .rst(rst), .shift(LOAD == 2 ? take_word[r*COLS+c] : shift[c]),
                    .a(a[r*(COLS+1)+c]), .a_q(a[r*(COLS+1)+c+1]),
                    .valid(valid[r*(COLS+1)+c]), .valid_q(valid[r*(COLS+1)+c+1]),
                    .first(first[r*(COLS+1)+c]), .first_q(first[r*(COLS+1)+c+1]),
                    .above(held[LOAD==2?c:r*COLS+c]), .held(held[(r+1)*COLS+c]),
                    .sum_in(sum_in[r*COLS+c]), .sum(sum[(r+1)*COLS+c]), .sum_q(sum_in[(r+1)*COLS+c])
                );
                if (GATED)
                    assign pick[(r+1)*COLS+c] = tap == r ? sum[(r+1)*COLS+c] : pick[r*COLS+c];
            end
        end
    endgenerate

    // --- the lower edge: what row tap does in each column ---

    reg  [COLS-1:0]   bot_valid_q, bot_last_q, bot_final_q;
    reg  [COLS*D-1:0] bot_item_q, bot_c0_q;
    wire [COLS-1:0]   bot_valid = {bot_valid_q, row_valid[tap]};
    wire [COLS-1:0]   bot_last  = {bot_last_q, row_last[tap]};
    wire [COLS-1:0]   bot_final = {bot_final_q, row_final[tap]};
    wire              corner    = bot_valid[cols-1] && bot_last[cols-1];

    assign out_item = {bot_item_q, row_item[tap*D+:D]};
    assign out_base = {bot_c0_q, row_c0[tap*D+:D]};
    always @*
        for (i = 0; i < COLS; i = i + 1)
            out_valid[i] = bot_valid[i] && out_base[i*D+:D] + i < sc;

    always @(posedge clk) begin
        for (i = 0; i < COLS; i = i + 1)
            bot_valid_q[i] <= bot_valid[i] && i + 1 < cols && !rst;
        bot_last_q  <= bot_last;
        bot_final_q <= bot_final;
        bot_item_q  <= out_item;
        bot_c0_q    <= out_base;
    end

    always @(posedge clk)
        if (rst) busy <= 0;
        else if (start) busy <= 1;
        else if (finishing) busy <= 0;
    assign finishing = corner && bot_final[cols-1];
    assign leaves    = bot_valid[cols-1];

    // --- loading ---

    // Rows and columns without work get zeros.
    reg [COLS*W-1:0] w_words;
    always @* begin
        w_words = w_data;
        for (i = 0; i < COLS; i = i + 1) if (!(w_step < sr && w_line + i < sc)) w_words[i*W+:W] = 0;
    end

    generate
        if (LOAD == 0) begin : serial
            reg         loading;
            reg [D-1:0] k;
            assign loaded = !loading;
            assign ending = corner;
            always @(posedge clk) begin
                if (rst) loading <= 0;
                else if (start || ending) loading <= 1;
                else if (k == tap) loading <= 0;
                k <= start || ending || !loading ? 0 : k + 1;
            end
            assign shift  = {COLS{loading}};
            assign loads  = busy && loading; // not after the last fold
            assign w_step = r0 + tap - k; // the last row first
            assign w_line = c0;
            assign w_edge = w_words;
        end else begin : overlapped
            // Streaming goes on to the next fold at once, if that is loaded.
            assign ending = issue_last;

            // Loading runs a fold ahead: column 0 here, each further column a
            // cycle later.
            reg  [D-1:0] lr0, lc0, k_q;
            reg          on, none_left; // in the midst of a fold; after the last
            wire         free;          // the shadows may be overwritten from now on
            wire         begins = !on && free && !none_left;
            wire         active = on || begins;
            wire [D-1:0] k      = on ? k_q : 0;
            wire         done   = active && k == ROWS - 1;
            reg          full;          // loaded, and not yet used
            assign loaded = full;

            always @(posedge clk) begin
                if (rst || start) on <= 0;
                else on <= active && !done;
                if (active) k_q <= k + 1;
                if (rst) begin
                    none_left <= 1;
                end else if (start) begin
                    none_left  <= 0;
                    {lr0, lc0} <= 0;
                end else if (done) begin
                    if (sr - lr0 > ROWS) begin
                        lr0 <= lr0 + ROWS;
                    end else begin
                        lr0 <= 0;
                        lc0 <= lc0 + COLS;
                        if (!(sc - lc0 > COLS)) none_left <= 1;
                    end
                end
            end

            if (LOAD == 1) begin : chain
                // A shift moves all shadows of a column, so the last row must
                // have used its own: in this cycle, or before.
                reg  empty;
                wire used = row_valid[ROWS-1] && row_first[ROWS-1];
                assign free = empty || used;
                always @(posedge clk) begin
                    if (start) empty <= 1;
                    else if (begins) empty <= 0;
                    else if (used) empty <= 1;
                    if (rst || start) full <= 0;
                    else if (done) full <= 1;
                    else if (issue_first) full <= 0;
                end
            end else begin : bus
                // Row r is written r cycles after row 0, and uses its word r
                // cycles after row 0, so that row 0 speaks for all.
                assign free = !full || issue_first;
                always @(posedge clk)
                    if (rst || start) full <= 0;
                    else if (begins) full <= 1;
                    else if (issue_first) full <= 0;
            end

            // The same in each further column, a cycle later.
            reg [COLS-1:0] shift_q;
            always @(posedge clk) shift_q <= rst ? 0 : shift;
            assign shift  = {shift_q, active};
            assign loads  = active;
            assign w_step = LOAD == 1 ? lr0 + ROWS - 1 - k : lr0 + k;
            assign w_line = lc0;
            skew #(.N(COLS), .W(W)) w_skew (.clk(clk), .in(w_words), .out(w_edge));
            if (LOAD == 2) begin : select
                for (r = 0; r < ROWS; r = r + 1) begin : row
                    reg [COLS-1:0] take_q;
                    wire [COLS-1:0] take = {take_q, active && k == r};
                    always @(posedge clk) take_q <= rst ? 0 : take;
                    for (c = 0; c < COLS; c = c + 1) begin : col
                        assign take_word[r*COLS+c] = take[c];
                    end
                end
            end
        end
    endgenerate
endmodule
