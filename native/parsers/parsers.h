// Record parsers: bytes of whole records → columns of a parsed block. Plain pointers and lengths, no allocation that grows with the input.
#pragma once
#include "parsers/block.h"
#include "parsers/program.h"

namespace monolith {

// `data` [0, length) holds whole records, except that the last one may be cut off at the end of a file. Fills `block` and result [R_WORDS].
void parse_delimited(const Program&, const uint8_t* data, size_t length, Block&, double* result);
void parse_libsvm(const Program&, const uint8_t* data, size_t length, Block&, double* result);
void parse_criteo_bin(const Program&, const uint8_t* data, size_t length, Block&, double* result);
void parse_tfrecord(const Program&, const uint8_t* data, size_t length, Block&, double* result);

// Appends examples picks[2i] (block), picks[2i + 1] (row) for i in [first, first + count) to `out`. Null: fine; else what is wrong.
const char* gather_examples(Block* blocks, size_t num_blocks, const int32_t* picks, size_t first, size_t count, Block& out);

// Words of a selector (src/data/split.ts), doubles: which part of the records is wanted.
enum SelectorWord { S_KIND = 0, S_EVALUATION, S_SEED_LOW, S_SEED_HIGH, S_THRESHOLD, S_FIRST_ROW, S_LAST_ROW, S_SAMPLE_LOW, S_SAMPLE_HIGH,
                    S_SAMPLE_RATES, S_WORDS = 16 };
enum SelectorKind { kSelectAll = 0, kSelectColumn, kSelectRows, kSelectFraction };

// Appends pairs (block, row) of the wanted records to `picks` behind the `at` pairs there; room for `count` more. Returns how many stand there then.
size_t select_examples(const double* selector, const uint8_t* flags, size_t count, int32_t block, uint32_t file, uint64_t first_record, int32_t* picks,
                       size_t at);

// Fisher–Yates over `count` pairs.
void shuffle_picks(int32_t* picks, size_t count, uint64_t seed);

// The end of the last whole record of [0, length), 0 when there is none; −1: not decided here (another format, or a damaged frame).
int64_t last_record_end(const Program&, const uint8_t* data, size_t length);

}  // namespace monolith
