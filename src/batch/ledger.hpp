#pragma once

#include <lightswitch/batch/batch.hpp>
#include <lightswitch/batch/results.hpp>

#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace lightswitch {

/// The results files in a batch's folder, of every shard, by name.
std::vector<std::filesystem::path> results_files(const std::filesystem::path& folder);
/// Lines in order. One without an end is not there: its writer was killed, or is at it. @throws FileError, FormatError.
void read_results(const std::filesystem::path& file, const std::function<void(ItemResult)>& visit);

/// A file that grows by whole lines. One process at a time holds it.
class ResultsFile {
 public:
  /// Cuts off a line without an end. @throws FileError, also when another process holds it.
  explicit ResultsFile(const std::filesystem::path& file);
  ~ResultsFile();
  ResultsFile(const ResultsFile&) = delete;
  ResultsFile& operator=(const ResultsFile&) = delete;

  bool empty() const;
  /// All or nothing. @throws FileError.
  void append(const std::string& lines);

 private:
  std::string name_;
  int descriptor_;
};

/// Counts and records what becomes of the items of a run. Any thread may call it.
class Ledger {
 public:
  /// @param file null: nothing is recorded but through `told`.
  Ledger(ResultsFile* file, std::function<void(const ItemResult&)> told) : file_(file), told_(std::move(told)) {}

  /// @throws FileError.
  void settle(const std::vector<ItemResult>& results);
  /// An item that a results file has already.
  void skip(ItemResult result);
  BatchSummary summary() const;

 private:
  ResultsFile* file_;
  std::function<void(const ItemResult&)> told_;
  mutable std::mutex mutex_;
  BatchSummary summary_;
};

}  // namespace lightswitch
