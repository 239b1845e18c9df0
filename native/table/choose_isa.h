// ML_CHOOSE(name): the copy of `name` for the instruction set chosen at run time. ML_DECLARE_PER_ISA declares all copies.
#pragma once
#include "simd/isa.h"

#if defined(__x86_64__)
#define ML_DECLARE_PER_ISA(declaration)  \
  namespace scalar { declaration; }      \
  namespace avx2 { declaration; }        \
  namespace avx512 { declaration; }
#define ML_CHOOSE(name) \
  (chosen_isa() == Isa::avx512 ? &avx512::name : chosen_isa() == Isa::avx2 ? &avx2::name : &scalar::name)
#elif defined(__aarch64__)
#define ML_DECLARE_PER_ISA(declaration)  \
  namespace scalar { declaration; }      \
  namespace neon { declaration; }
#define ML_CHOOSE(name) (chosen_isa() == Isa::neon ? &neon::name : &scalar::name)
#else
#define ML_DECLARE_PER_ISA(declaration) \
  namespace scalar { declaration; }
#define ML_CHOOSE(name) (&scalar::name)
#endif
