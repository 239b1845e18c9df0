// The tables of this process by number, so that several threads can hold one. It is freed when the last holder lets go. Holders take turns:
// whoever uses a table makes sure that no other thread does at that time.
#pragma once
#include <cstdint>

#include "table/table.h"

namespace monolith {

// Takes over `table` with one holder; its number, or 0 when there is no memory (the table is the caller's then).
uint32_t register_shared_table(Table* table);
// One more holder of table `id`, or nullptr when there is none of that number.
Table* hold_shared_table(uint32_t id);
uint32_t shared_table_id(const Table* table);
void let_go_shared_table(Table* table);

}  // namespace monolith
