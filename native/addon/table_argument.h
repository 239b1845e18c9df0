// A table as argument 0, for the files that bind its functions.
#pragma once
#include "addon/args.h"
#include "table/table.h"

namespace monolith {

// Argument 0 as a table, or null with an exception pending.
Table* table_of(Args& args, napi_env env);
void fail_memory(napi_env env, const char* text);

}  // namespace monolith
