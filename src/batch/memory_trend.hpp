#pragma once

#include <lightswitch/batch/results.hpp>
#include <lightswitch/batch/verify.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace lightswitch {

/// How a process's memory went while it made its pictures, from a results file, line by line.
class MemoryTrend {
 public:
  void add(const ItemResult& result);
  /// Of the process that made most of the file; nothing where that is too little to tell.
  std::optional<ShardMemory> longest() const;

 private:
  std::map<int64_t, std::vector<int64_t>> processes_;  ///< own bytes, a picture each
};

}  // namespace lightswitch
