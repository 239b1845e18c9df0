// New rows: entries in the index, first values, first state. And counting which ids have none.
#include "simd/half.h"
#include "table/half_rows.h"
#include "table/index_search.h"
#include "table/lookup.h"
#include "table/prefetch.h"

namespace monolith {
namespace ML_ISA {
namespace {

inline void initialize_row(const LookupTable& table, uint64_t fid, float* values) {
  const uint64_t key = mix64(table.seed ^ mix64(fid));
  for (size_t k = 0; k < table.num_slices; k++) {
    const InitializerSpec& spec = table.initializers[k];
    const SliceUpdate& slice = table.slices[k];
    initialize_slice(spec.kind, spec.a, spec.b, key, slice.offset, slice.dim, values + slice.offset);
  }
}

// How values are stored: `put` stores those of a new row and leaves in them what a lookup will read; `get` reads those of a row.
struct FloatStore {
  static inline void put(const LookupTable& table, uint32_t row, float* values) {
    __builtin_memcpy(row_values(table.rows, row), values, table.dim * sizeof(float));
  }
  static inline void get(const LookupTable& table, uint32_t row, float* values) {
    __builtin_memcpy(values, row_values(table.rows, row), table.dim * sizeof(float));
  }
};

template <typename Format>
struct HalfStore {
  static inline void put(const LookupTable& table, uint32_t row, float* values) {
    Format::nearest(values, table.dim, half_values(table.rows, row, table.dim));
    get(table, row, values);
  }
  static inline void get(const LookupTable& table, uint32_t row, float* values) {
    Format::widen(half_values(table.rows, row, table.dim), table.dim, values);
  }
};

// Ids that are to get rows, with their home lines under way.
struct NewRows {
  size_t ids[kBlock];
  uint64_t hashes[kBlock];
  IndexLine* homes[kBlock];
  size_t count = 0;

  void add(const IndexView& index, size_t id, uint64_t fid) {
    ids[count] = id;
    hashes[count] = mix64(fid);
    homes[count] = home_of(index, hashes[count]);
    ML_PREFETCH(homes[count]);
    count++;
  }
};

// A row for each of them, from row number `size` on; an id that came twice finds the row of its first time. The new size.
template <typename Store>
inline size_t create_block(const LookupTable& table, size_t size, const uint64_t* fids, const NewRows& block, float* rows, int32_t* handles) {
  const IndexView index = table.index;
  for (size_t k = 0; k < block.count; k++) {
    if (block.homes[k]->count == kLineEntries) ML_PREFETCH(block.homes[k] + 1);
  }
  for (size_t k = 0; k < block.count; k++) {
    const size_t id = block.ids[k];
    const uint64_t fid = fids[id];
    const size_t slot = directory_slot(block.hashes[k], index.depth);
    const Partition& partition = index.directory[slot];
    const Place place = find(partition, fid, block.homes[k]);
    float* out = rows + id * table.dim;
    uint32_t& row1 = place.line->row1[place.entry];
    const bool fresh = row1 == 0;
    if (fresh) {
      place.line->fid[place.entry] = fid;
      place.line->count = place.entry + 1;
      row1 = static_cast<uint32_t>(++size);
      index.use[first_slot(slot, index.depth, partition.depth)].rows++;
    }
    const uint32_t row = row1 - 1;
    handles[id] = static_cast<int32_t>(row);
    if (!fresh) {
      Store::get(table, row, out);
      continue;
    }
    initialize_row(table, fid, out);
    Store::put(table, row, out);
    float* state = row_state(table.rows, row);
    if (table.state_length == 1) {
      state[0] = table.initial_state[0];
    } else {
      __builtin_memcpy(state, table.initial_state, table.state_length * sizeof(float));
    }
    table.rows.dirty[row >> 6] |= uint64_t{1} << (row & 63);
    if (table.stamps.segments != nullptr) {
      float* stamp = table.stamps.segments[row >> table.stamps.shift] + (row & table.stamps.mask);
      __builtin_memcpy(stamp, &table.timestamp, sizeof table.timestamp);
    }
  }
  return size;
}

template <typename Store>
inline size_t create_all(const LookupTable& table, size_t size, const uint64_t* fids, size_t count, float* rows, int32_t* handles) {
  NewRows blocks[2];
  size_t filling = 0;
  for (size_t i = 0; i < count; i++) {
    if (handles[i] >= 0) continue;
    blocks[filling].add(table.index, i, fids[i]);
    if (blocks[filling].count < kBlock) continue;
    // Those whose lines were fetched a block ago; none at first.
    filling ^= 1;
    size = create_block<Store>(table, size, fids, blocks[filling], rows, handles);
    blocks[filling].count = 0;
  }
  size = create_block<Store>(table, size, fids, blocks[filling ^ 1], rows, handles);
  return create_block<Store>(table, size, fids, blocks[filling], rows, handles);
}

}  // namespace

size_t create_rows(const LookupTable& table, size_t size, const uint64_t* fids, size_t count, float* rows, int32_t* handles) {
  return create_all<FloatStore>(table, size, fids, count, rows, handles);
}

size_t create_rows_bf16(const LookupTable& table, size_t size, const uint64_t* fids, size_t count, float* rows, int32_t* handles) {
  return create_all<HalfStore<Bf16>>(table, size, fids, count, rows, handles);
}

size_t create_rows_fp16(const LookupTable& table, size_t size, const uint64_t* fids, size_t count, float* rows, int32_t* handles) {
  return create_all<HalfStore<Fp16>>(table, size, fids, count, rows, handles);
}

size_t count_missing(const LookupTable& table, const uint64_t* fids, size_t count) {
  const IndexView index = table.index;
  uint64_t hashes[2][kBlock];
  const size_t blocks = (count + kBlock - 1) / kBlock;
  const auto length = [count, blocks](size_t b) {
    return b >= blocks ? size_t{0} : count - b * kBlock < kBlock ? count - b * kBlock : kBlock;
  };
  size_t missing = 0;
  for (size_t b = 0; b < blocks + 1; b++) {
    const size_t num_fetched = length(b);
    const size_t num_probed = length(b - 1);
    uint64_t* fetched = hashes[b & 1];
    const uint64_t* probed = hashes[(b - 1) & 1];
    const uint64_t* probe_fids = fids + (num_probed == 0 ? 0 : (b - 1) * kBlock);
    if (num_fetched != 0) hash_block(fids + b * kBlock, num_fetched, fetched);
    for (size_t i = 0; i < kBlock; i++) {
      if (i < num_fetched) ML_PREFETCH(home_of(index, fetched[i]));
      if (i < num_probed) {
        const Place place = find(partition_of(index, probed[i]), probe_fids[i], home_of(index, probed[i]));
        missing += place.line->row1[place.entry] == 0;
      }
    }
  }
  return missing;
}

}  // namespace ML_ISA
}  // namespace monolith
