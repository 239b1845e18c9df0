// Rows frozen for a reader in another thread; see frozen_rows.h.
#include <new>

#include "table/frozen_rows.h"
#include "table/table.h"

namespace monolith {
namespace {

// Steps after a freeze whose copies find their memory present, as long as that is no more than for a row in so many.
constexpr size_t kStepsPrepared = 4;
constexpr size_t kRowsAPreparedCopy = 32;

}  // namespace

Table::~Table() {
  if (frozen_ != nullptr) FrozenRows::let_go(frozen_);
  delete spare_.load(std::memory_order_acquire);
}

void Table::thaw() {
  if (frozen_ == nullptr) return;
  FrozenRows* frozen = frozen_;
  frozen_ = nullptr;
  index_.keep_old(false);
  FrozenRows::let_go(frozen);
}

bool Table::being_read() {
  if (frozen_ == nullptr) return false;
  // Whoever was to read it has gone, or has what it wanted.
  if (frozen_->shared() && !frozen_->ended()) return true;
  thaw();
  return false;
}

Freezing Table::freeze(bool only_changed, bool forget_changes) {
  if (being_read()) return Freezing::busy;
  FrozenRows* frozen = new (std::nothrow) FrozenRows();
  if (frozen == nullptr) return Freezing::no_memory;
  const IndexView index = index_.view();
  const RowSpace rows = space();
  const uint64_t* only = only_changed && size_ != 0 ? dirty_words() : nullptr;
  CopySpace* spare = spare_.exchange(nullptr, std::memory_order_acq_rel);
  spare_bytes_.store(0, std::memory_order_relaxed);
  if (!frozen->start({index, values_, apart() ? states_ : values_, stamps_, rows, size_, dim_, state_, format_, widen_, only}, spare, expected_copies())) {
    delete frozen;
    return Freezing::no_memory;
  }
  if (forget_changes) clear_dirty();
  index_.keep_old(true);
  frozen_ = frozen;
  return Freezing::done;
}

size_t Table::expected_copies() const {
  const size_t some_steps = kStepsPrepared * most_applied_;
  const size_t most = size_ / kRowsAPreparedCopy;
  return some_steps < most ? some_steps : most;
}

void Table::keep_spare(CopySpace* space) {
  // Of a table that is dropped as soon as its rows were read nothing is kept for long either: the reader holds it until then.
  spare_bytes_.store(space->bytes(0, 0, 0), std::memory_order_relaxed);
  delete spare_.exchange(space, std::memory_order_acq_rel);
}

FrozenRows* Table::hold_frozen() {
  if (frozen_ == nullptr || frozen_->ended()) return nullptr;
  frozen_->hold();
  return frozen_;
}

void Table::keep_rows(const int32_t* handles, size_t count) {
  if (frozen_->ended()) {
    thaw();
  } else {
    frozen_->keep(handles, count);
  }
}

void Table::touch_kept(const int32_t* handles, size_t count, uint32_t timestamp) {
  keep_rows(handles, count);
  for (size_t i = 0; i < count; i++) {
    if (handles[i] < 0) continue;
    uint32_t* last = stamp(static_cast<size_t>(handles[i]));
    if (*last < timestamp) *last = timestamp;
  }
}

}  // namespace monolith
