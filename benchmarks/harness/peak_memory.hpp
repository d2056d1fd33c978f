#pragma once

#include <cstdint>

namespace lightswitch::bench {

/// Peak resident bytes of this process above what it held at construction (Linux: the high-water mark is reset).
class PeakMemory {
 public:
  PeakMemory();
  int64_t bytes() const;

 private:
  int64_t start_;
};

/// Resident bytes that belong to this process alone: not pages of mapped files, which the system can take back.
int64_t own_memory();

}  // namespace lightswitch::bench
