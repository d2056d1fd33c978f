#pragma once

#include <lightswitch/batch/results.hpp>

#include <exception>

namespace lightswitch {

/// Puts into a result why its item failed, and whether another try could help: where a file or memory is at fault it
/// may, where the item itself is it cannot.
void record_failure(ItemResult& result, const std::exception_ptr& thrown);

}  // namespace lightswitch
