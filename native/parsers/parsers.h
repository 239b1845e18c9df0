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
const char* gather_examples(const Block* blocks, size_t num_blocks, const int32_t* picks, size_t first, size_t count, Block& out);

}  // namespace monolith
