#include "batch/memory_trend.hpp"

#include <algorithm>

namespace lightswitch {
namespace {

constexpr size_t kFewest = 20;

int64_t median(std::vector<int64_t> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

}  // namespace

void MemoryTrend::add(const ItemResult& result) {
  if (result.state == ItemState::done && result.own_bytes > 0) processes_[result.process].push_back(result.own_bytes);
}

std::optional<ShardMemory> MemoryTrend::longest() const {
  const auto most = std::ranges::max_element(processes_, {}, [](const auto& process) { return process.second.size(); });
  if (most == processes_.end() || most->second.size() < kFewest) return {};
  const std::vector<int64_t>& own = most->second;
  const auto tenth = static_cast<std::ptrdiff_t>(own.size() / 10);
  return ShardMemory{.pictures = static_cast<int64_t>(own.size()),
                     .begin_bytes = median({own.begin(), own.begin() + tenth}),
                     .end_bytes = median({own.end() - tenth, own.end()})};
}

}  // namespace lightswitch
