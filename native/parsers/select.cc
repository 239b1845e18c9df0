// Which examples of a parsed block belong to the part, and the order of a shuffle window. Twin: src/data/twins/select.ts.
#include "parsers/parsers.h"

namespace monolith {
namespace {

uint64_t mix64(uint64_t x) {
  uint64_t z = x + 0x9e3779b97f4a7c15ull;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

// xoshiro128** as in src/base/random.ts.
class SeededRandom {
 public:
  explicit SeededRandom(uint64_t seed) {
    const uint64_t first = mix64(seed), second = mix64(first);
    a_ = static_cast<uint32_t>(first);
    b_ = static_cast<uint32_t>(first >> 32);
    c_ = static_cast<uint32_t>(second);
    d_ = (first | second) == 0 ? 1 : static_cast<uint32_t>(second >> 32);
  }

  uint32_t next() {
    const uint32_t b = b_, product = b * 5, result = ((product << 7) | (product >> 25)) * 9;
    c_ ^= a_;
    d_ ^= b;
    b_ = b ^ c_;
    a_ ^= d_;
    c_ ^= b << 9;
    d_ = (d_ << 11) | (d_ >> 21);
    return result;
  }

  // Uniform in [0, n), without bias.
  uint32_t below(uint32_t n) {
    const uint64_t limit = 0x100000000ull - 0x100000000ull % n;
    uint32_t bits = next();
    while (bits >= limit) bits = next();
    return bits % n;
  }

 private:
  uint32_t a_, b_, c_, d_;
};

}  // namespace

size_t select_examples(const double* selector, const uint8_t* flags, size_t count, int32_t block, uint32_t file, uint64_t first_record, int32_t* picks,
                       size_t at) {
  const int kind = static_cast<int>(selector[S_KIND]);
  const bool want = selector[S_EVALUATION] != 0;
  const uint64_t base = static_cast<uint64_t>(selector[S_SEED_HIGH]) << 32 | static_cast<uint32_t>(selector[S_SEED_LOW]);
  const uint64_t seed = base ^ (static_cast<uint64_t>(file) << 32);
  const uint64_t sample_base = static_cast<uint64_t>(selector[S_SAMPLE_HIGH]) << 32 | static_cast<uint32_t>(selector[S_SAMPLE_LOW]);
  const uint64_t sample_seed = sample_base ^ (static_cast<uint64_t>(file) << 32);
  const double threshold = selector[S_THRESHOLD], first = selector[S_FIRST_ROW], last = selector[S_LAST_ROW];
  for (size_t i = 0; i < count; i++) {
    const uint64_t record = first_record + i;
    bool chosen = true;
    if (kind == kSelectColumn) {
      chosen = ((flags[i] & kFlagEvaluation) != 0) == want;
    } else if (kind == kSelectRows) {
      const double row = static_cast<double>(record) + 1;
      chosen = (row >= first && row <= last) == want;
    } else if (kind == kSelectFraction) {
      chosen = (static_cast<double>(mix64(seed ^ record) >> 32) < threshold) == want;
    }
    if ((flags[i] & (kFlagLeftOut | kFlagAnySampled)) != 0) {
      if ((flags[i] & kFlagLeftOut) != 0) chosen = false;
      const double hash = static_cast<double>(mix64(sample_seed ^ record) >> 32);
      for (int k = 0; k < kMaxSamplings; k++) {
        if ((flags[i] & (kFlagSampled << k)) != 0 && hash >= selector[S_SAMPLE_RATES + k]) chosen = false;
      }
    }
    // Written in any case, counted if chosen: there is room for all of them.
    picks[at * 2] = block;
    picks[at * 2 + 1] = static_cast<int32_t>(i);
    at += chosen ? 1 : 0;
  }
  return at;
}

void shuffle_picks(int32_t* picks, size_t count, uint64_t seed) {
  SeededRandom random(seed);
  for (size_t i = count; i-- > 1;) {
    const size_t j = random.below(static_cast<uint32_t>(i + 1));
    const int32_t block = picks[i * 2], row = picks[i * 2 + 1];
    picks[i * 2] = picks[j * 2];
    picks[i * 2 + 1] = picks[j * 2 + 1];
    picks[j * 2] = block;
    picks[j * 2 + 1] = row;
  }
}

}  // namespace monolith
