#include "batch/picture_store.hpp"

#include <lightswitch/error.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "batch/tar.hpp"
#include "core/atomic_file.hpp"
#include "core/stopwatch.hpp"
#include "io/json_reader.hpp"
#include "nn/files/strict_json.hpp"

namespace lightswitch {
namespace {

/// The tars of a shard by their numbers.
std::map<int64_t, std::filesystem::path> tars_of(const std::filesystem::path& folder, const Shard& shard) {
  std::map<int64_t, std::filesystem::path> tars;
  const std::string prefix = tar_prefix(shard);
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    long long number = 0;
    int end = 0;
    if (name.starts_with(prefix) && std::sscanf(name.c_str() + prefix.size(), "%lld.tar%n", &number, &end) == 1 &&
        prefix.size() + static_cast<size_t>(end) == name.size() && end > 0)
      tars[number] = entry.path();
  }
  return tars;
}

class FileStore final : public PictureStore {
 public:
  FileStore(std::filesystem::path folder, Ledger& ledger) : folder_(std::move(folder)), ledger_(ledger) {}

  void add(EncodedPicture picture) override {
    const Stopwatch watch;
    write_stream_atomically(folder_ / picture.name, [&](std::ostream& stream) {
      stream.write(picture.bytes.data(), static_cast<std::streamsize>(picture.bytes.size()));
    });
    picture.result.out = picture.name;
    picture.result.ms_encode_file += watch.ms();
    ledger_.settle({picture.result});
  }
  void finish() override {}

 private:
  std::filesystem::path folder_;
  Ledger& ledger_;
};

class TarStore final : public PictureStore {
 public:
  TarStore(std::filesystem::path folder, const Shard& shard, int64_t items, Ledger& ledger)
      : folder_(std::move(folder)), prefix_(tar_prefix(shard)), items_(items), ledger_(ledger) {
    const auto before = tars_of(folder_, shard);
    if (!before.empty()) next_ = before.rbegin()->first + 1;
  }

  void add(EncodedPicture picture) override {
    const std::lock_guard lock(mutex_);
    const Stopwatch watch;
    if (!tar_) open();
    ItemResult& result = picture.result;
    result.out = tar_->target().filename().string();
    result.member = picture.name;
    write(tar_entry(picture.name, picture.bytes, std::time(nullptr)));
    result.ms_encode_file += watch.ms();
    auto facts = nlohmann::ordered_json::parse(picture.facts);
    facts["result"] = nlohmann::ordered_json::parse(to_json(result));
    write(tar_entry(result.id + ".json", facts.dump(), std::time(nullptr)));
    results_.push_back(std::move(result));
    if (static_cast<int64_t>(results_.size()) == items_) close();
  }

  void finish() override {
    const std::lock_guard lock(mutex_);
    if (tar_) close();
  }

 private:
  void open() {
    char number[32];
    std::snprintf(number, sizeof number, "%06lld.tar", static_cast<long long>(next_++));
    tar_.emplace(folder_ / (prefix_ + number));
    stream_ = std::ofstream(tar_->temporary(), std::ios::binary);
    check();
  }
  void write(const std::string& bytes) {
    stream_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    check();
  }
  void check() {
    if (stream_) return;
    throw FileError("cannot write", {tar_->target().string(), "", "", std::strerror(errno)});
  }
  void close() {
    write(tar_end());
    stream_.close();
    check();
    tar_->rename_to(tar_->target());
    tar_.reset();
    ledger_.settle(std::exchange(results_, {}));
  }

  std::filesystem::path folder_;
  std::string prefix_;
  int64_t items_, next_ = 0;
  Ledger& ledger_;
  std::mutex mutex_;
  std::optional<PendingFile> tar_;
  std::ofstream stream_;
  std::vector<ItemResult> results_;  ///< of the open tar
};

}  // namespace

std::string tar_prefix(const Shard& shard) {
  return "pictures-" + shard.name() + "-";
}

std::unique_ptr<PictureStore> store_files(const std::filesystem::path& folder, Ledger& ledger) {
  return std::make_unique<FileStore>(folder, ledger);
}

std::unique_ptr<PictureStore> store_tars(const std::filesystem::path& folder, const Shard& shard, int64_t items,
                                         Ledger& ledger) {
  return std::make_unique<TarStore>(folder, shard, items, ledger);
}

std::vector<ItemResult> results_in_tars(
    const std::filesystem::path& folder, const Shard& shard,
    const std::function<bool(const std::string& tar, const std::string& id)>& recorded) {
  std::vector<ItemResult> results;
  for (const auto& [number, file] : tars_of(folder, shard)) {
    const std::string name = file.filename().string();
    visit_tar(file, [&](const TarMember& member) {
      if (!member.name.ends_with(".json")) return;
      if (recorded(name, member.name.substr(0, member.name.size() - 5))) return;
      const std::string place = name + "/" + member.name;
      const nlohmann::json facts = nn::parse_strict_json(member.read(), 3, place);
      results.push_back(parse_item_result(JsonObject(facts, place, "").object("result").raw().dump(), place));
    });
  }
  return results;
}

void remove_leftovers(const std::filesystem::path& folder, const Shard& shard,
                      const std::function<bool(const std::string& id)>& ours) {
  // PendingFile's names: .STEM.PROCESS-RANDOM.EXTENSION. What a sound is made under is such a name once more, with two
  // dots in front.
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    const size_t begin = name.find_first_not_of('.');
    if (begin != 1 && begin != 2) continue;
    if (std::ranges::count(name, '.') != static_cast<std::ptrdiff_t>(2 * begin + 1)) continue;
    const std::string stem = name.substr(begin, name.find('.', begin) - begin);
    std::error_code ignored;
    if (stem.starts_with(tar_prefix(shard)) || ours(stem)) std::filesystem::remove(entry.path(), ignored);
  }
}

}  // namespace lightswitch
