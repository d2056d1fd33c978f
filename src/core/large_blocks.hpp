#pragma once

#include <lightswitch/memory.hpp>

#include <cstddef>
#include <list>
#include <mutex>
#include <unordered_map>

namespace lightswitch {

/// Blocks of memory that are mapped once and used many times. Safe to use from many threads.
class LargeBlocks {
 public:
  LargeBlocks() = default;
  LargeBlocks(const LargeBlocks&) = delete;
  LargeBlocks& operator=(const LargeBlocks&) = delete;
  ~LargeBlocks();

  /// At least `bytes` > 0, aligned to a page. A freed block is used again when no more than a quarter of `bytes`, or
  /// one huge page, would lie idle; three times `bytes` where a new block would drive out others, which a decoder, whose
  /// tensors grow fourfold from stage to stage, would then map again in every pass. @throws std::bad_alloc.
  void* take(size_t bytes);
  /// False when the block is not one of these.
  bool give_back(void* block) noexcept;
  /// Unmaps what is kept.
  void release() noexcept;

  LargeBlockUsage usage() const;

 private:
  struct Block {
    void* data;
    size_t size;
  };

  Block reuse(size_t bytes);
  bool has_room(size_t bytes) const noexcept;
  void make_room(size_t bytes) noexcept;
  void unmap_oldest() noexcept;

  mutable std::mutex mutex_;
  std::unordered_map<void*, size_t> live_;
  std::list<Block> kept_;  // given back longest ago first
  LargeBlockUsage usage_;
};

}  // namespace lightswitch
