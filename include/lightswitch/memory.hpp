#pragma once

#include <cstdint>

namespace lightswitch {

/// How the process's large CPU tensors use memory.
struct LargeBlockUsage {
  int64_t live = 0;       ///< bytes in use
  int64_t kept = 0;       ///< bytes freed and kept for reuse
  int64_t most_live = 0;  ///< the most bytes that were in use at one time
  int64_t mapped = 0;     ///< bytes that the system was asked for, of all times together
};

/// From now on, CPU tensors of 256 KiB or more use the memory of freed ones again instead of giving it back to the
/// system, which would clear every page anew for every layer: a third to a half of a light decoder's time. No more is
/// kept than was once in use at one time, so the process's peak does not grow.
///
/// This sets LibTorch's allocator for the whole process and cannot be undone, so the library never calls it: an
/// application does, first thing in main().
void recycle_large_blocks();

/// Gives kept memory back to the system, for a program that goes idle.
void release_large_blocks();

/// All zero before recycle_large_blocks().
LargeBlockUsage large_block_usage();

}  // namespace lightswitch
