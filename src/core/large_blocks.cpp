#include "core/large_blocks.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <new>

namespace lightswitch {
namespace {

constexpr size_t kPage = size_t{1} << 12;
constexpr size_t kHugePage = size_t{1} << 21;
/// Of less, nobody who asks for large blocks could make use.
constexpr size_t kLeastLeft = size_t{1} << 18;
/// Of less, clearing new pages takes no longer than the system call.
constexpr size_t kLeastMoved = size_t{1} << 14;

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

/// Pages with what is on them; those of `target` go. False where the system cannot.
bool move_pages(char* from, size_t size, char* target) {
#ifdef MREMAP_FIXED
  return ::mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, target) != MAP_FAILED;
#else
  return false;
#endif
}

}  // namespace

LargeBlocks::~LargeBlocks() {
  release();
}

void* LargeBlocks::take(size_t bytes) {
  const size_t size = mapped_size(bytes);
  const std::scoped_lock lock(mutex_);
  Block block = cut_from_kept(size);
  if (!block.data) {
    block = {static_cast<char*>(map(size)), size};
    seams_.insert({block.data, block.data + size});
    usage_.mapped += static_cast<int64_t>(size - make_room(block));
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
  Block block{static_cast<char*>(data), entry->second};
  live_.erase(entry);
  usage_.live -= static_cast<int64_t>(block.size);
  usage_.kept += static_cast<int64_t>(block.size);
  const auto after = kept_.find(block.data + block.size);
  if (after != kept_.end()) {
    block.size += after->second.size;
    kept_.erase(after);
  }
  const auto before = kept_.lower_bound(block.data);
  if (before != kept_.begin() && std::prev(before)->first + std::prev(before)->second.size == block.data) {
    Kept& joined = std::prev(before)->second;
    joined = {joined.size + block.size, ++clock_};
  } else {
    kept_.emplace(block.data, Kept{block.size, ++clock_});
  }
  return true;
}

void LargeBlocks::release() noexcept {
  const std::scoped_lock lock(mutex_);
  while (!kept_.empty()) give_up_oldest(SIZE_MAX, nullptr);
}

LargeBlockUsage LargeBlocks::usage() const {
  const std::scoped_lock lock(mutex_);
  return usage_;
}

LargeBlocks::Block LargeBlocks::cut_from_kept(size_t size) {
  auto best = kept_.end();
  for (auto block = kept_.begin(); block != kept_.end(); ++block)
    if (block->second.size >= size && (best == kept_.end() || block->second.size < best->second.size)) best = block;
  if (best == kept_.end()) return {nullptr, 0};
  Block found{best->first, best->second.size};
  const uint64_t age = best->second.freed;
  kept_.erase(best);
  if (found.size - size >= kLeastLeft) {
    kept_.emplace(found.data + size, Kept{found.size - size, age});
    found.size = size;
  }
  usage_.kept -= static_cast<int64_t>(found.size);
  return found;
}

size_t LargeBlocks::make_room(const Block& block) noexcept {
  const auto over = [&] { return usage_.live + usage_.kept + static_cast<int64_t>(block.size) - usage_.most_live; };
  size_t filled = 0;
  while (!kept_.empty() && over() > 0)
    filled += give_up_oldest(mapped_size(static_cast<size_t>(over())), block.data + filled);
  return filled;
}

size_t LargeBlocks::give_up_oldest(size_t most, char* target) noexcept {
  const auto oldest = std::ranges::min_element(kept_, {}, [](const auto& block) { return block.second.freed; });
  char* const end = oldest->first + oldest->second.size;
  const auto seam = std::prev(seams_.lower_bound(end));  // the system moves what was mapped in one piece
  char* const begin = std::max({oldest->first, end - std::min(oldest->second.size, most), *seam});
  const auto size = static_cast<size_t>(end - begin);
  const bool moved = target && size >= kLeastMoved && move_pages(begin, size, target);
  if (!moved) ::munmap(begin, size);
  seams_.erase(begin);
  if (live_.contains(end) || kept_.contains(end))
    seams_.insert(end);
  else
    seams_.erase(end);
  if (moved) seams_.insert({target, target + size});
  usage_.kept -= static_cast<int64_t>(size);
  oldest->second.size -= size;
  if (oldest->second.size == 0) kept_.erase(oldest);
  return moved ? size : 0;
}

}  // namespace lightswitch
