// An output-stationary systolic array of ROWS × COLS elements with its
// sequencer: sr rows and sc columns of outputs, each a sum of len steps, in
// folds of the array's size, row folds innermost.
//
// It starts in the cycle after start and is busy until the clock edge that
// takes the last sum out of the array (DRAIN 1, 2) or finishes it (DRAIN 0).
// No duration is built in: a fold ends when its last operand has come to the
// last element, and folds that overlap are kept apart by interlocks.
//
//   DRAIN 0  sums are read where they stand
//   DRAIN 1  after each fold they leave by the bottom, a row a cycle
//   DRAIN 2  they do so from drain registers during the next fold
//   GATED 1  folds at the edge do not wait for idle rows and columns
//            (DRAIN 0 and 1 only)
//
// Two buffers answer in the same cycle, with a word for each row: step of
// lines a_line, a_line+1, …; and one for each column: step of lines b_line, ….
// Words of all rows or columns lie beside each other, row or column 0 lowest;
// so do the outputs, of which column c has that of line out_line and column
// out_base + c. sr, sc and len are at least 1 and stay while busy. enters says that a line
// of words is taken from both buffers in this cycle, leaves that one of outputs is complete
// with that of the last column (DRAIN 1, 2).
module os_array #(
    parameter ROWS  = 4,
    parameter COLS  = 4,
    parameter LANES = 1,
    parameter ACC   = 32,
    parameter SAT   = 0, // what does not fit ACC bits wraps around, or saturates
    parameter DRAIN = 0,
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
    output [D-1:0]            a_line,
    output [D-1:0]            b_line,
    output reg [D-1:0]        step,
    input  [ROWS*8*LANES-1:0] a_data,
    input  [COLS*8*LANES-1:0] b_data,
    output reg [COLS-1:0]     out_valid,
    output [COLS*D-1:0]       out_line,
    output [COLS*D-1:0]       out_base,
    output [COLS*ACC-1:0]     out_sum,
    output                    enters,
    output                    leaves
);
    localparam W = 8 * LANES;
    integer    i;
    genvar     r, c;

    // --- the fold at hand ---

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

    wire hold;   // the last step must wait for the drain registers
    wire ending; // the fold's last cycle; the next one starts after it
    wire issue      = streaming && !hold;
    wire issue_last = issue && step == len - 1;

    assign a_line = r0;
    assign b_line = c0;
    assign enters = issue;

    always @(posedge clk) begin
        if (rst || start) begin
            {r0, c0, step} <= 0;
            streaming      <= !rst;
        end else begin
            if (issue) step <= issue_last ? 0 : step + 1;
            if (issue_last) streaming <= 0;
            if (ending) begin
                streaming <= !final;
                r0        <= more_rows ? r0 + ROWS : 0;
                c0        <= more_rows ? c0 : more_cols ? c0 + COLS : 0;
            end
        end
    end

    // --- the left and upper edge: each row and column a cycle after the one before ---

    reg  [ROWS-1:0]   row_valid_q, row_first_q, row_last_q;
    wire [ROWS-1:0]   row_valid = {row_valid_q, issue};
    wire [ROWS-1:0]   row_first = {row_first_q, step == 0};
    wire [ROWS-1:0]   row_last  = {row_last_q, issue_last};
    reg  [ROWS*W-1:0] a_words;
    reg  [COLS*W-1:0] b_words;
    wire [ROWS*W-1:0] a_edge;
    wire [COLS*W-1:0] b_edge;

    always @(posedge clk) begin
        // A gated array's idle rows get nothing.
        for (i = 0; i < ROWS; i = i + 1)
            row_valid_q[i] <= row_valid[i] && i + 1 < rows && !rst;
        row_first_q <= row_first;
        row_last_q  <= row_last;
    end

    // Rows and columns without work get zeros.
    always @* begin
        a_words = a_data;
        b_words = b_data;
        for (i = 0; i < ROWS; i = i + 1) if (i >= work_rows) a_words[i*W+:W] = 0;
        for (i = 0; i < COLS; i = i + 1) if (i >= work_cols) b_words[i*W+:W] = 0;
    end
    skew #(.N(ROWS), .W(W)) a_skew (.clk(clk), .in(a_words), .out(a_edge));
    skew #(.N(COLS), .W(W)) b_skew (.clk(clk), .in(b_words), .out(b_edge));

    // --- the elements ---

    // Nets between them: into element (r, c) from the left by index
    // r(COLS+1)+c, from above by r·COLS+c.
    wire [W-1:0]    a[0:ROWS*(COLS+1)-1], b[0:(ROWS+1)*COLS-1];
    wire            valid[0:ROWS*(COLS+1)-1], first[0:ROWS*(COLS+1)-1], last[0:ROWS*(COLS+1)-1];
    wire [ACC-1:0]  held[0:(ROWS+1)*COLS-1], pick[0:(ROWS+1)*COLS-1];
    wire [COLS-1:0] shift;

    generate
        for (r = 0; r < ROWS; r = r + 1) begin : left
            assign a[r*(COLS+1)]     = a_edge[r*W+:W];
            assign valid[r*(COLS+1)] = row_valid[r];
            assign first[r*(COLS+1)] = row_first[r];
            assign last[r*(COLS+1)]  = row_last[r];
        end
        for (c = 0; c < COLS; c = c + 1) begin : upper
            assign b[c]    = b_edge[c*W+:W];
            assign held[c] = 0;
            assign pick[c] = 0;
            assign out_sum[c*ACC+:ACC] = GATED ? pick[ROWS*COLS+c] : held[ROWS*COLS+c];
        end
        for (r = 0; r < ROWS; r = r + 1) begin : row
            for (c = 0; c < COLS; c = c + 1) begin : col
                os_pe #(.LANES(LANES), .ACC(ACC), .SAT(SAT), .DRAIN(DRAIN)) pe (
                    .clk(clk), .rst(rst), .shift(shift[c]),
                    .a(a[r*(COLS+1)+c]), .a_q(a[r*(COLS+1)+c+1]),
                    .valid(valid[r*(COLS+1)+c]), .valid_q(valid[r*(COLS+1)+c+1]),
                    .first(first[r*(COLS+1)+c]), .first_q(first[r*(COLS+1)+c+1]),
                    .last(last[r*(COLS+1)+c]), .last_q(last[r*(COLS+1)+c+1]),
                    .b(b[r*COLS+c]), .b_q(b[(r+1)*COLS+c]),
                    .above(held[r*COLS+c]), .held(held[(r+1)*COLS+c])
                );
                if (GATED && DRAIN == 1)
                    assign pick[(r+1)*COLS+c] = tap == r ? held[(r+1)*COLS+c] : pick[r*COLS+c];
            end
        end
    endgenerate

    // --- the lower edge ---

    generate
        if (DRAIN == 2) begin : overlapped
            // The sums of column 0 are complete when the last step has been in
            // its last row; they then leave in ROWS cycles and ROWS-1 moves,
            // each further column a cycle later.
            reg  [ROWS-1:0]   row_final_q;
            reg  [ROWS*D-1:0] row_r0_q, row_c0_q;
            wire [ROWS-1:0]   row_final = {row_final_q, final};
            wire [ROWS*D-1:0] row_r0    = {row_r0_q, r0};
            wire [ROWS*D-1:0] row_c0    = {row_c0_q, c0};
            wire              complete  = row_valid[ROWS-1] && row_last[ROWS-1];

            // What column 0 does, and the same a cycle later for each further column.
            reg               on;
            reg  [D-1:0]      line, base;
            reg               is_final; // of the last fold
            reg  [D-1:0]      k;
            wire              ends = on && k == ROWS - 1;
            reg  [COLS-1:0]   on_q, move_q, finish_q;
            reg  [COLS*D-1:0] line_q, base_q;
            wire [COLS-1:0]   on_col     = {on_q, on};
            wire [COLS-1:0]   finish_col = {finish_q, ends && is_final};

            // From its last step on, a fold needs the drain registers of
            // column 0 up to their last move, in which the next may be set.
            reg  pending;
            wire last_move = on && k + 2 == ROWS;
            assign hold = step == len - 1 && pending && !last_move;
            // Issuing goes on to the next fold at once.
            assign ending = issue_last;

            always @(posedge clk) begin
                row_final_q <= row_final;
                row_r0_q    <= row_r0;
                row_c0_q    <= row_c0;

                if (rst || start) pending <= 0;
                else if (issue_last) pending <= ROWS > 1;
                else if (last_move) pending <= 0;

                on <= (complete || on && !ends) && !rst;
                if (complete) begin
                    k        <= 0;
                    is_final <= row_final[ROWS-1];
                    line     <= row_r0[(ROWS-1)*D+:D] + ROWS - 1;
                    base     <= row_c0[(ROWS-1)*D+:D];
                end else begin
                    k    <= k + 1;
                    line <= line - 1;
                end
                on_q     <= rst ? 0 : on_col;
                move_q   <= shift;
                finish_q <= rst ? 0 : finish_col;
                line_q   <= out_line;
                base_q   <= out_base;

                if (rst) busy <= 0;
                else if (start) busy <= 1;
                else if (finishing) busy <= 0;
            end
            assign finishing = finish_col[COLS-1];
            assign leaves    = on_col[COLS-1];
            assign shift    = {move_q, on && k + 1 < ROWS};
            assign out_line = {line_q, line};
            assign out_base = {base_q, base};
            always @*
                for (i = 0; i < COLS; i = i + 1)
                    out_valid[i] = on_col[i] && out_line[i*D+:D] < sr && out_base[i*D+:D] + i < sc;
        end else begin : serial
            // The last step has been in row tap of column c when the token is there.
            reg  [COLS-1:0] token_q;
            wire [COLS-1:0] token  = {token_q, row_valid[tap] && row_last[tap]};
            wire            corner = token[cols-1];
            reg             draining;
            reg  [D-1:0]    k;
            wire [D-1:0]    line = r0 + tap - k;
            assign hold     = 0;
            assign ending   = DRAIN == 0 ? corner : draining && k == tap;
            assign shift    = {COLS{draining}};
            assign leaves   = draining;
            assign out_line = {COLS{line}};
            assign out_base = {COLS{c0}};
            always @*
                for (i = 0; i < COLS; i = i + 1)
                    out_valid[i] = draining && tap - k < work_rows && i < work_cols;

            always @(posedge clk) begin
                for (i = 0; i < COLS; i = i + 1)
                    token_q[i] <= token[i] && i + 1 < cols && !rst;
                draining <= (DRAIN == 1 && corner || draining && !ending) && !rst;
                k        <= draining && !ending ? k + 1 : 0;

                if (rst) busy <= 0;
                else if (start) busy <= 1;
                else if (finishing) busy <= 0;
            end
            assign finishing = ending && final;
        end
    endgenerate
endmodule
