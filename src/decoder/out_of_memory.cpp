#include "decoder/out_of_memory.hpp"

#include <c10/util/Exception.h>

#include <new>
#include <string_view>

namespace lightswitch {

bool is_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) || dynamic_cast<const c10::OutOfMemoryError*>(&error)) return true;
  const auto* by_libtorch = dynamic_cast<const c10::Error*>(&error);
  return by_libtorch &&
         std::string_view(by_libtorch->what_without_backtrace()).find("allocate memory") != std::string_view::npos;
}

}  // namespace lightswitch
