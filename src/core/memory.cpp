#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <lightswitch/memory.hpp>

#include <atomic>

#include "core/large_blocks.hpp"

namespace lightswitch {
namespace {

constexpr size_t kLarge = size_t{1} << 18;

/// Large blocks from LargeBlocks, the others from LibTorch's own allocator. Never destroyed: tensors outlive main().
class RecyclingAllocator final : public c10::Allocator {
 public:
  static RecyclingAllocator& instance() {
    static auto* const allocator = new RecyclingAllocator();
    return *allocator;
  }

  c10::DataPtr allocate(size_t bytes) override {
    if (bytes < kLarge) return small_->allocate(bytes);
    void* const data = blocks_.take(bytes);
    return {data, data, &free_large, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &free_any; }
  void copy_data(void* target, const void* source, size_t bytes) const override {
    default_copy_data(target, source, bytes);
  }

  LargeBlocks& blocks() { return blocks_; }

 private:
  static void free_large(void* data) { instance().blocks_.give_back(data); }
  static void free_any(void* data) {
    if (!instance().blocks_.give_back(data)) instance().small_->raw_deleter()(data);
  }

  c10::Allocator* small_ = c10::GetDefaultCPUAllocator();
  LargeBlocks blocks_;
};

std::atomic<bool> installed = false;

}  // namespace

void recycle_large_blocks() {
  // LibTorch keeps the allocator of highest priority; its own has none.
  c10::SetCPUAllocator(&RecyclingAllocator::instance(), 1);
  installed = true;
}

void release_large_blocks() {
  if (installed) RecyclingAllocator::instance().blocks().release();
}

LargeBlockUsage large_block_usage() {
  return installed ? RecyclingAllocator::instance().blocks().usage() : LargeBlockUsage{};
}

}  // namespace lightswitch
