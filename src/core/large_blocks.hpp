#pragma once

#include <lightswitch/memory.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>

namespace lightswitch {

/// Blocks of memory that are mapped once and used many times. Safe to use from many threads.
class LargeBlocks {
 public:
  LargeBlocks() = default;
  LargeBlocks(const LargeBlocks&) = delete;
  LargeBlocks& operator=(const LargeBlocks&) = delete;
  ~LargeBlocks();

  /// At least `bytes` > 0, aligned to a page. Cut from the smallest freed block that is large enough; neighbours that
  /// are freed grow together again. Where none is large enough and no more may be held, the pages of smaller ones are
  /// moved into a new block. So the stages of a decoder, whose tensors grow fourfold, all live in the same memory, and
  /// no pass but the first waits for the kernel to clear pages. @throws std::bad_alloc.
  void* take(size_t bytes);
  /// False when the block is not one of these.
  bool give_back(void* block) noexcept;
  /// Unmaps what is kept.
  void release() noexcept;

  LargeBlockUsage usage() const;

 private:
  struct Block {
    char* data;
    size_t size;
  };
  struct Kept {
    size_t size;
    uint64_t freed;  // by the clock
  };

  Block cut_from_kept(size_t size);
  /// Gives up what must go before `block` may be held; returns how many bytes of `block` now have its pages.
  size_t make_room(const Block& block) noexcept;
  /// At most `most` bytes from the end of the block that was freed longest ago: to `target` where that is possible,
  /// else to the system. Returns how many were moved.
  size_t give_up_oldest(size_t most, char* target) noexcept;

  mutable std::mutex mutex_;
  std::unordered_map<void*, size_t> live_;
  std::map<char*, Kept> kept_;
  std::set<char*> seams_;  // where memory that was mapped or moved in one piece begins and ends
  uint64_t clock_ = 0;
  LargeBlockUsage usage_;
};

}  // namespace lightswitch
