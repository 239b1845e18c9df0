#include "simd/isa.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace monolith {
namespace {

struct Choice {
  Isa isa;
  bool bf16;
  bool forced_missing;
  char error[160];
};

Isa best() {
#if defined(__x86_64__)
  if (isa_available(Isa::avx512)) return Isa::avx512;
  if (isa_available(Isa::avx2)) return Isa::avx2;
  return Isa::scalar;
#elif defined(__aarch64__)
  return Isa::neon;
#else
  return Isa::scalar;
#endif
}

Choice choose() {
  Choice choice{best(), has_avx512_bf16(), false, {0}};
  const char* wanted = std::getenv("MONOLITH_LOCAL_ISA");
  if (wanted == nullptr || *wanted == 0) return choice;
  if (std::strcmp(wanted, kBf16Name) == 0 && choice.bf16) return choice;
  choice.bf16 = false;
  for (Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512, Isa::neon}) {
    if (std::strcmp(wanted, isa_name(isa)) == 0 && isa_available(isa)) {
      choice.isa = isa;
      return choice;
    }
  }
  choice.forced_missing = true;
  std::snprintf(choice.error, sizeof choice.error, "MONOLITH_LOCAL_ISA=%.32s: this processor or build has no such instruction set", wanted);
  return choice;
}

const Choice& choice() {
  static const Choice made = choose();
  return made;
}

}  // namespace

Isa chosen_isa() { return choice().isa; }
bool chosen_bf16() { return choice().bf16; }
const char* chosen_name() { return chosen_bf16() ? kBf16Name : isa_name(chosen_isa()); }
const char* isa_error() { return choice().forced_missing ? choice().error : nullptr; }

const char* isa_name(Isa isa) {
  switch (isa) {
    case Isa::scalar: return "scalar";
    case Isa::avx2: return "avx2";
    case Isa::avx512: return "avx512";
    case Isa::neon: return "neon";
  }
  return "scalar";
}

bool isa_available(Isa isa) {
  switch (isa) {
    case Isa::scalar: return true;
#if defined(__x86_64__)
    case Isa::avx2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    case Isa::avx512:
      return isa_available(Isa::avx2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    case Isa::neon: return false;
#elif defined(__aarch64__)
    case Isa::avx2: return false;
    case Isa::avx512: return false;
    case Isa::neon: return true;
#else
    default: return false;
#endif
  }
  return false;
}

bool has_avx512_bf16() {
#if defined(__x86_64__)
  return isa_available(Isa::avx512) && __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

}  // namespace monolith
