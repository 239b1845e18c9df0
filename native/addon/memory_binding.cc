// What only the system knows of shared memory: where it lies, and that its pages should be there before they are used.
#include <sys/mman.h>

#include <cstdint>

#include "addon/args.h"
#include "table/page_block.h"

namespace monolith {
namespace {

constexpr uintptr_t kLine = 64;
constexpr uintptr_t kPage = 4096;

// memoryLineOffset(bytes: Uint8Array) -> bytes from its start to the first address that is a multiple of 64
napi_value memory_line_offset(napi_env env, napi_callback_info info) {
  Args args(env, info, "memoryLineOffset", 1);
  auto memory = args.array<uint8_t>(0, 0);
  if (!args.ok()) return nullptr;
  return make_number(env, static_cast<double>((kLine - reinterpret_cast<uintptr_t>(memory.data) % kLine) % kLine));
}

// memoryPopulate(bytes: Uint8Array): makes its pages present and writable, huge ones where the system grants them. Best effort.
napi_value memory_populate(napi_env env, napi_callback_info info) {
  Args args(env, info, "memoryPopulate", 1);
  auto memory = args.array<uint8_t>(0, 0);
  if (!args.ok()) return nullptr;
  advise_huge_pages(memory.data, memory.length);
#if defined(__linux__)
#if !defined(MADV_POPULATE_WRITE)
#define MADV_POPULATE_WRITE 23
#endif
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(memory.data) + kPage - 1) & ~(kPage - 1);
  const uintptr_t end = (reinterpret_cast<uintptr_t>(memory.data) + memory.length) & ~(kPage - 1);
  if (end > begin) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_WRITE);
#endif
  return nullptr;
}

// adviseHugePages(bytes: Uint8Array)
napi_value advise_huge_pages_call(napi_env env, napi_callback_info info) {
  Args args(env, info, "adviseHugePages", 1);
  auto memory = args.array<uint8_t>(0, 0);
  if (args.ok()) advise_huge_pages(memory.data, memory.length);
  return nullptr;
}

}  // namespace

void register_memory(napi_env env, napi_value exports) {
  export_function(env, exports, "memoryLineOffset", memory_line_offset);
  export_function(env, exports, "memoryPopulate", memory_populate);
  export_function(env, exports, "adviseHugePages", advise_huge_pages_call);
}

}  // namespace monolith
