#include "table/table_registry.h"

#include <mutex>
#include <new>

namespace monolith {
namespace {

struct Shared {
  Shared* next;
  Table* table;
  uint32_t id;
  uint32_t holders;
};

// The only state of the addon that threads share. Held for a few instructions, never while a table works.
std::mutex lock;
Shared* all = nullptr;
uint32_t last_id = 0;

}  // namespace

uint32_t register_shared_table(Table* table) {
  Shared* shared = new (std::nothrow) Shared();
  if (shared == nullptr) return 0;
  std::lock_guard<std::mutex> guard(lock);
  if (++last_id == 0) last_id = 1;
  *shared = {all, table, last_id, 1};
  all = shared;
  return last_id;
}

Table* hold_shared_table(uint32_t id) {
  std::lock_guard<std::mutex> guard(lock);
  for (Shared* shared = all; shared != nullptr; shared = shared->next) {
    if (shared->id != id) continue;
    shared->holders++;
    return shared->table;
  }
  return nullptr;
}

uint32_t shared_table_id(const Table* table) {
  std::lock_guard<std::mutex> guard(lock);
  for (const Shared* shared = all; shared != nullptr; shared = shared->next) {
    if (shared->table == table) return shared->id;
  }
  return 0;
}

void let_go_shared_table(Table* table) {
  Shared* ended = nullptr;
  {
    std::lock_guard<std::mutex> guard(lock);
    for (Shared** link = &all; *link != nullptr; link = &(*link)->next) {
      if ((*link)->table != table) continue;
      if (--(*link)->holders == 0) {
        ended = *link;
        *link = ended->next;
      }
      break;
    }
  }
  if (ended == nullptr) return;
  delete ended->table;
  delete ended;
}

}  // namespace monolith
