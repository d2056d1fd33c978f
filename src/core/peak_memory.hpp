#pragma once

#include <cstdint>
#include <optional>

namespace lightswitch {

/// Peak resident bytes of this process above what it held at construction. The kernel's high-water mark is set back for
/// that, after memory kept for reuse has been given back; nothing where the kernel does not allow it.
class PeakMemory {
 public:
  PeakMemory();
  std::optional<int64_t> bytes() const;

 private:
  std::optional<int64_t> start_;
};

/// Resident bytes that belong to this process alone: not pages of mapped files, which the system can take back. Nothing
/// where the kernel does not tell.
std::optional<int64_t> own_memory();

/// All resident bytes of this process, after memory kept for reuse has been given back. Nothing where the kernel does
/// not tell.
std::optional<int64_t> held_memory();

}  // namespace lightswitch
