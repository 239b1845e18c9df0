#include "table/copy_space.h"

#include <cstring>

namespace monolith {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
// What is populated at a time: others who change the address space wait for no more than that.
constexpr size_t kPiece = kHugePage;

size_t marks_bytes(size_t rows) { return (rows / 64 + 2) * sizeof(CopyMarks); }

}  // namespace

void CopySpace::Area::want(size_t bytes) {
  from = present;
  // Smaller blocks come from the heap, zeroed: they are present.
  if (block.bytes() < kHugePage) return;
  const size_t rounded = (bytes + kHugePage - 1) & ~(kHugePage - 1);
  const size_t wanted = rounded < block.bytes() ? rounded : block.bytes();
  if (wanted > present) present = wanted;
}

void CopySpace::Area::populate() {
  char* data = static_cast<char*>(block.data());
  if (from < present) advise_huge_pages(data + from, present - from);
  for (; from < present; from += kPiece) {
    if (!populate_pages(data + from, present - from < kPiece ? present - from : kPiece)) break;
  }
  from = present;
}

void CopySpace::Area::trim(size_t used) {
  if (block.bytes() >= kHugePage && used > present) drop_pages(static_cast<char*>(block.data()) + present, used - present);
}

bool CopySpace::allocate(size_t rows, size_t copy_bytes) {
  // Tables grow: the space serves a few more freezes.
  rows_ = rows + rows / 2;
  copy_bytes_ = copy_bytes;
  return marks_.block.allocate_sparse(marks_bytes(rows_)) && numbers_.block.allocate_sparse((rows_ / kBlockRows + 1) * kBlockRows * sizeof(uint32_t)) &&
         copies_.block.allocate_sparse(rows_ * copy_bytes);
}

void CopySpace::prepare(size_t rows, size_t copies) {
  wait();
  marks_.want(marks_bytes(rows));
  // Rows here and there: nearly every copy begins a block.
  numbers_.want((copies < rows / kBlockRows ? copies : rows / kBlockRows) * kBlockRows * sizeof(uint32_t));
  copies_.want(copies * copy_bytes_);
  if (marks_.from == marks_.present && numbers_.from == numbers_.present && copies_.from == copies_.present) return;
  running_ = pthread_create(&thread_, nullptr, run, this) == 0;
}

void* CopySpace::run(void* argument) {
  CopySpace& space = *static_cast<CopySpace*>(argument);
  // Marks first: the first step touches every page of them.
  space.marks_.populate();
  space.copies_.populate();
  space.numbers_.populate();
  return nullptr;
}

void CopySpace::wait() {
  if (running_) pthread_join(thread_, nullptr);
  running_ = false;
}

void CopySpace::clean(size_t rows, size_t copies, size_t blocks) {
  wait();
  std::memset(marks_.block.data(), 0, marks_bytes(rows));
  numbers_.trim(blocks * kBlockRows * sizeof(uint32_t));
  copies_.trim(copies * copy_bytes_);
}

size_t CopySpace::bytes(size_t rows, size_t copies, size_t blocks) const {
  // Blocks from the heap are there as a whole.
  const auto held = [](const Area& area, size_t used) { return area.block.bytes() < kHugePage ? area.block.bytes() : area.held(used); };
  return held(marks_, marks_bytes(rows)) + held(numbers_, blocks * kBlockRows * sizeof(uint32_t)) + held(copies_, copies * copy_bytes_);
}

}  // namespace monolith
