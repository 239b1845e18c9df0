// Declares one table of function pointers per instruction set and the choice among them.
//   struct SumKernels { ... };
//   ML_ISA_TABLES(SumKernels, sum_kernels)      declares scalar::sum_kernels …, and choose_sum_kernels()
// The tables are defined in X.isa.cc as `extern const SumKernels sum_kernels = {...}` inside namespace monolith::ML_ISA.
// ML_ISA_TABLES_BF16 adds a copy for avx512-bf16; build.mjs compiles only the files that it names for that one.
#pragma once
#include "simd/isa.h"

#if defined(__x86_64__)
#define ML_ISA_TABLES(Type, name)                  \
  namespace scalar { extern const Type name; }     \
  namespace avx2 { extern const Type name; }       \
  namespace avx512 { extern const Type name; }     \
  static inline const Type& choose_##name() {      \
    switch (chosen_isa()) {                        \
      case Isa::avx512: return avx512::name;       \
      case Isa::avx2: return avx2::name;           \
      default: return scalar::name;                \
    }                                              \
  }
#define ML_ISA_TABLES_BF16(Type, name)             \
  ML_ISA_TABLES(Type, name)                        \
  namespace avx512bf16 { extern const Type name; } \
  static inline const Type& best_##name() { return chosen_bf16() ? avx512bf16::name : choose_##name(); }
#elif defined(__aarch64__)
#define ML_ISA_TABLES(Type, name)                                        \
  namespace scalar { extern const Type name; }                           \
  namespace neon { extern const Type name; }                             \
  static inline const Type& choose_##name() {                            \
    return chosen_isa() == Isa::neon ? neon::name : scalar::name;        \
  }
#else
#define ML_ISA_TABLES(Type, name)              \
  namespace scalar { extern const Type name; } \
  static inline const Type& choose_##name() { return scalar::name; }
#endif

#if !defined(__x86_64__)
#define ML_ISA_TABLES_BF16(Type, name) \
  ML_ISA_TABLES(Type, name)            \
  static inline const Type& best_##name() { return choose_##name(); }
#endif
