#include "table/table.h"

namespace monolith {

LookupTable Table::lookup_table(uint32_t timestamp) const {
  const auto initialize = [](const void* owner, uint64_t fid, float* record) { static_cast<const Table*>(owner)->initialize_row(fid, record); };
  return {entries(), lines_, space(), dim_, size_, room(), timestamp, initialize, this};
}

size_t Table::count_missing(const uint64_t* fids, size_t count) const { return count_missing_(lookup_table(0), fids, count); }

int64_t Table::lookup(const uint64_t* fids, size_t count, bool create, uint32_t timestamp, float* rows, int32_t* handles) {
  LookupTable table = lookup_table(timestamp);
  if (!create) {
    lookup_rows_(table, fids, count, rows, handles);
    return 0;
  }
  const size_t without_room = create_rows_(table, fids, count, rows, handles);
  if (without_room != 0) return -static_cast<int64_t>(without_room);
  const size_t created = table.size - size_;
  size_ = table.size;
  return static_cast<int64_t>(created);
}

}  // namespace monolith
