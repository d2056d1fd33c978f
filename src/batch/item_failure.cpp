#include "batch/item_failure.hpp"

#include <c10/util/Exception.h>
#include <lightswitch/error.hpp>

#include <new>

namespace lightswitch {

void record_failure(ItemResult& result, const std::exception_ptr& thrown) {
  result.state = ItemState::failed;
  try {
    std::rethrow_exception(thrown);
  } catch (const c10::Error& error) {  // LibTorch's own message ends in a stack trace
    result.error = error.what_without_backtrace();
  } catch (const std::bad_alloc&) {
    result.error = "out of memory";
    result.retry = true;
  } catch (const std::exception& error) {
    result.error = error.what();
    result.retry =
        dynamic_cast<const FileError*>(&error) != nullptr || dynamic_cast<const MemoryError*>(&error) != nullptr;
  }
}

}  // namespace lightswitch
