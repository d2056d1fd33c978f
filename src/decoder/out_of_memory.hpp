#pragma once

#include <exception>

namespace lightswitch {

/// Whether the error is an allocation that failed: LibTorch's allocators have no error of their own on the CPU.
bool is_out_of_memory(const std::exception& error);

}  // namespace lightswitch
