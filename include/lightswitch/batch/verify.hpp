#pragma once

#include <lightswitch/batch/batch.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

namespace lightswitch {

/// What can be wrong with an item of a batch's folder.
enum class BatchFlaw {
  missing,         ///< no picture, and no failure that says why
  failed,          ///< the last try failed, or a file that it needs cannot be read
  bad_line,        ///< the manifest's line cannot be made
  damaged,         ///< the file's bytes are not those that were recorded
  other_settings,  ///< made with other settings, another model or another version than the folder's settings.json names
  duplicate,       ///< more than one picture of this id is in the folder
  unrecorded,      ///< in a tar, and in no results file
};
const char* to_string(BatchFlaw flaw);

struct BatchProblem {
  BatchFlaw flaw = BatchFlaw::missing;
  std::string id;    ///< empty where the line does not tell
  int64_t line = 0;  ///< of the manifest; 0 where it is not about a line
  std::string detail;
  bool retry = true;  ///< resuming the batch may mend it
};

/// Whether memory stays flat: that of one process, its own without pages of files.
struct ShardMemory {
  std::string file = {};    ///< of the results
  int64_t pictures = 0;     ///< that the process made; of several processes, the one that made most
  int64_t begin_bytes = 0;  ///< median while it made the first tenth of them
  int64_t end_bytes = 0;    ///< median while it made the last tenth

  int64_t growth() const { return end_bytes - begin_bytes; }
};

/// All shards' results taken together; of several results of an item the last counts.
struct BatchStatistics {
  int64_t results_files = 0;
  int64_t pictures = 0;                                      ///< done
  int64_t bytes = 0;                                         ///< of them
  double ms_denoise = 0, ms_decode = 0, ms_encode_file = 0;  ///< sums over them
  int64_t peak_bytes = 0;                                    ///< the largest of any process
  std::vector<ShardMemory> memory;  ///< of every results file in which a process made 20 pictures or more
};

struct BatchCheck {
  int64_t items = 0;     ///< lines of the manifest
  int64_t complete = 0;  ///< with nothing wrong
  int64_t others = 0;    ///< recorded pictures that the manifest does not name
  std::vector<BatchProblem> problems;
  BatchStatistics statistics;
};

/// Compares a batch's folder with its manifest. Every picture is read and hashed; nothing is changed.
/// @param progress items done so far. @throws UnusableBatch (no settings, no manifest), FileError, FormatError,
/// Cancelled.
BatchCheck verify_batch(const std::filesystem::path& folder, const std::filesystem::path& manifest,
                        const std::function<void(int64_t done, int64_t total)>& progress = {},
                        std::stop_token stop = {});

}  // namespace lightswitch
