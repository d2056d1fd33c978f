#include "core/large_blocks.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <new>

namespace lightswitch {
namespace {

constexpr size_t kPage = size_t{1} << 12;
constexpr size_t kHugePage = size_t{1} << 21;

size_t mapped_size(size_t bytes) {
  if (bytes > SIZE_MAX - 2 * kHugePage) throw std::bad_alloc();
  return (bytes + kPage - 1) / kPage * kPage;
}

void* map(size_t size) {
  const bool huge = size >= 2 * kHugePage;
  const size_t slack = huge ? kHugePage : 0;
  void* const mapped = ::mmap(nullptr, size + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  if (!huge) return mapped;
  // A huge page needs its own alignment: cut off what lies before and behind.
  char* const begin = static_cast<char*>(mapped);
  const size_t before = (kHugePage - reinterpret_cast<uintptr_t>(mapped) % kHugePage) % kHugePage;
  if (before > 0) ::munmap(begin, before);
  if (before < slack) ::munmap(begin + before + size, slack - before);
#ifdef MADV_HUGEPAGE
  ::madvise(begin + before, size, MADV_HUGEPAGE);  // advice: the memory is as good without
#endif
  return begin + before;
}

}  // namespace

LargeBlocks::~LargeBlocks() {
  release();
}

void* LargeBlocks::take(size_t bytes) {
  const std::scoped_lock lock(mutex_);
  Block block = reuse(bytes);
  if (!block.data) {
    block.size = mapped_size(bytes);
    make_room(block.size);
    block.data = map(block.size);
    ++usage_.mapped;
  }
  live_.emplace(block.data, block.size);
  usage_.live += static_cast<int64_t>(block.size);
  usage_.most_live = std::max(usage_.most_live, usage_.live);
  return block.data;
}

bool LargeBlocks::give_back(void* data) noexcept {
  const std::scoped_lock lock(mutex_);
  const auto entry = live_.find(data);
  if (entry == live_.end()) return false;
  const auto size = static_cast<int64_t>(entry->second);
  kept_.push_back({data, entry->second});
  live_.erase(entry);
  usage_.live -= size;
  usage_.kept += size;
  return true;
}

void LargeBlocks::release() noexcept {
  const std::scoped_lock lock(mutex_);
  while (!kept_.empty()) unmap_oldest();
}

LargeBlockUsage LargeBlocks::usage() const {
  const std::scoped_lock lock(mutex_);
  return usage_;
}

LargeBlocks::Block LargeBlocks::reuse(size_t bytes) {
  const size_t idle = std::max(has_room(bytes) ? bytes / 4 : 3 * bytes, kHugePage);
  auto best = kept_.end();
  for (auto block = kept_.begin(); block != kept_.end(); ++block) {
    const bool fits = block->size >= bytes && block->size - bytes <= idle;
    if (fits && (best == kept_.end() || block->size < best->size)) best = block;
  }
  if (best == kept_.end()) return {nullptr, 0};
  const Block found = *best;
  kept_.erase(best);
  usage_.kept -= static_cast<int64_t>(found.size);
  return found;
}

bool LargeBlocks::has_room(size_t bytes) const noexcept {
  return usage_.live + usage_.kept + static_cast<int64_t>(bytes) <= usage_.most_live;
}

void LargeBlocks::make_room(size_t bytes) noexcept {
  while (!kept_.empty() && !has_room(bytes)) unmap_oldest();
}

void LargeBlocks::unmap_oldest() noexcept {
  const Block oldest = kept_.front();
  kept_.pop_front();
  usage_.kept -= static_cast<int64_t>(oldest.size);
  ::munmap(oldest.data, oldest.size);
}

}  // namespace lightswitch
