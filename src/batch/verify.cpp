#include <lightswitch/batch/verify.hpp>
#include <lightswitch/error.hpp>

#include <algorithm>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "batch/ledger.hpp"
#include "batch/line_reader.hpp"
#include "batch/manifest_index.hpp"
#include "batch/memory_trend.hpp"
#include "batch/picture_folder.hpp"

namespace lightswitch {
namespace {

/// What the results files say of one id.
struct Records {
  std::vector<ItemResult> done;       ///< of different files, the last one last
  std::optional<ItemResult> failure;  ///< where the last try was one
  bool named = false;                 ///< by the manifest
};

class Check {
 public:
  Check(const std::filesystem::path& folder, std::filesystem::path manifest)
      : folder_path_(folder), manifest_(std::move(manifest)), folder_(folder, true), digest_(settings()) {}

  BatchCheck run(const std::function<void(int64_t, int64_t)>& progress, const std::stop_token& stop) {
    read_all();
    const ManifestIndex index = index_lines(stop);
    LineReader lines(manifest_);
    while (const auto line = lines.next(stop)) {
      ++check_.items;
      judge(*line, index);
      if (progress) progress(check_.items, index.items);
    }
    if (stop.stop_requested()) throw Cancelled();
    for (const auto& [id, records] : records_)
      if (!records.named && !records.done.empty()) ++check_.others;
    find_unrecorded();
    return std::move(check_);
  }

 private:
  BatchSettings settings() const {
    try {
      return read_batch_settings(folder_path_ / "settings.json");
    } catch (const Error& error) {
      throw UnusableBatch(error.what());
    }
  }

  ManifestIndex index_lines(const std::stop_token& stop) const {
    try {
      return index_manifest(
          manifest_, {}, [](const BatchItem&) {}, stop);
    } catch (const FileError& error) {
      throw UnusableBatch(error.what());
    }
  }

  void read_all() {
    const auto files = results_files(folder_path_);
    BatchStatistics& sum = check_.statistics;
    for (const auto& file : files) {
      MemoryTrend trend;
      read_results(file, [&](ItemResult result) {
        trend.add(result);
        sum.peak_bytes = std::max(sum.peak_bytes, result.peak_bytes);
        Records& records = records_[result.id];
        records.failure.reset();
        if (result.state == ItemState::failed) {
          records.failure = std::move(result);
          return;
        }
        std::erase_if(records.done, [&](const ItemResult& earlier) {
          return earlier.out == result.out && earlier.member == result.member;
        });
        records.done.push_back(std::move(result));
      });
      if (auto memory = trend.longest()) {
        memory->file = file.filename().string();
        sum.memory.push_back(std::move(*memory));
      }
    }
    sum.results_files = static_cast<int64_t>(files.size());
    for (const auto& [id, records] : records_) {
      if (records.done.empty()) continue;
      const ItemResult& made = records.done.back();
      ++sum.pictures;
      sum.bytes += made.bytes;
      sum.ms_denoise += made.ms_denoise;
      sum.ms_decode += made.ms_decode;
      sum.ms_encode_file += made.ms_encode_file;
    }
  }

  void report(BatchFlaw flaw, const std::string& id, int64_t line, const std::string& detail, bool retry = true) {
    check_.problems.push_back({flaw, id, line, detail, retry});
  }

  void judge(const LineReader::Line& line, const ManifestIndex& index) {
    BatchItem item;
    std::string digest;
    try {
      item = parse_line(line, manifest_);
      require_first(item, index, manifest_);
      digest = digest_.of(item);
    } catch (const Error& error) {
      const bool retry = dynamic_cast<const FileError*>(&error) != nullptr;
      return report(retry ? BatchFlaw::failed : BatchFlaw::bad_line, item.id, line.number, error.what(), retry);
    }
    const auto entry = records_.find(item.id);
    if (entry == records_.end()) return report(BatchFlaw::missing, item.id, line.number, "no result");
    Records& records = entry->second;
    records.named = true;
    if (records.failure)
      return report(BatchFlaw::failed, item.id, line.number, records.failure->error, records.failure->retry);
    const size_t before = check_.problems.size();
    judge_picture(item, digest, records.done.back());
    std::string places;
    int64_t there = 0;
    for (const ItemResult& made : records.done) {
      if (folder_.bytes(made) < 0) continue;
      places += (there++ == 0 ? "in " : ", ") + made.out;
    }
    if (there > 1) report(BatchFlaw::duplicate, item.id, item.line, places, false);
    if (check_.problems.size() == before) ++check_.complete;
  }

  void judge_picture(const BatchItem& item, const std::string& digest, const ItemResult& made) {
    const int64_t bytes = folder_.bytes(made);
    if (bytes < 0) return report(BatchFlaw::missing, item.id, item.line, made.out + " is not there");
    if (bytes != made.bytes)
      return report(BatchFlaw::damaged, item.id, item.line,
                    made.out + ": expected " + std::to_string(made.bytes) + " bytes, found " + std::to_string(bytes));
    if (folder_.sha256(made) != made.sha256)
      return report(BatchFlaw::damaged, item.id, item.line, made.out + ": its SHA-256 is not the recorded one");
    if (made.digest != digest)
      report(BatchFlaw::other_settings, item.id, item.line, made.out + ": made with other settings");
  }

  void find_unrecorded() {
    std::set<std::string> recorded;
    for (const auto& [id, records] : records_)
      for (const ItemResult& made : records.done)
        if (!made.member.empty()) recorded.insert(made.out + "/" + made.member);
    folder_.visit_all_tars([&](const std::string& tar, const std::string& member) {
      if (!member.ends_with(".json") && !recorded.contains(tar + "/" + member))
        report(BatchFlaw::unrecorded, member.substr(0, member.find('.')), 0, tar + "/" + member);
    });
  }

  std::filesystem::path folder_path_, manifest_;
  PictureFolder folder_;
  BatchDigest digest_;
  std::unordered_map<std::string, Records> records_;
  BatchCheck check_;
};

}  // namespace

const char* to_string(BatchFlaw flaw) {
  switch (flaw) {
    case BatchFlaw::missing:
      return "missing";
    case BatchFlaw::failed:
      return "failed";
    case BatchFlaw::bad_line:
      return "bad line";
    case BatchFlaw::damaged:
      return "damaged";
    case BatchFlaw::other_settings:
      return "other settings";
    case BatchFlaw::duplicate:
      return "duplicate";
    case BatchFlaw::unrecorded:
      return "unrecorded";
  }
  return "";
}

BatchCheck verify_batch(const std::filesystem::path& folder, const std::filesystem::path& manifest,
                        const std::function<void(int64_t done, int64_t total)>& progress, std::stop_token stop) {
  return Check(folder, manifest).run(progress, stop);
}

}  // namespace lightswitch
