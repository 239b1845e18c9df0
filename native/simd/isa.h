// Run-time choice of instruction set. A module that has vector code declares a table of function pointers in its header,
// fills it in X.isa.cc (compiled once per instruction set, inside namespace ML_ISA) and picks one with choose_isa().
// Keep .isa.cc files free of shared inline functions and std templates: the linker may merge copies of those across instruction sets.
#pragma once

#define ML_CONCAT2(a, b) a##b
#define ML_CONCAT(a, b) ML_CONCAT2(a, b)
#define ML_STRING2(a) #a
#define ML_STRING(a) ML_STRING2(a)

namespace monolith {

enum class Isa { scalar = 0, avx2 = 1, avx512 = 2, neon = 3 };

// The best instruction set of this processor, or the one that MONOLITH_LOCAL_ISA names where the processor has it.
// Decided once per process.
Isa chosen_isa();
// avx512 together with avx512_bf16 ("avx512-bf16"): only the matrix products have a copy of their own for it.
bool chosen_bf16();
// Name of the choice: isa_name(chosen_isa()), or kBf16Name.
const char* chosen_name();
constexpr const char* kBf16Name = "avx512-bf16";
const char* isa_name(Isa isa);
// Whether this processor and this build can run it.
bool isa_available(Isa isa);
// Non-null when MONOLITH_LOCAL_ISA names something that can't run here: the text of the error.
const char* isa_error();
// avx512_bf16 on top of avx512.
bool has_avx512_bf16();

}  // namespace monolith
