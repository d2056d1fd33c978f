#include "batch/ledger.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <lightswitch/error.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>

namespace lightswitch {
namespace {

FileError failure(const std::string& what, const std::string& name) {
  return FileError(what, {name, "", "", std::strerror(errno)});
}

/// Offset behind the last line's end.
off_t whole_lines(int descriptor) {
  char last = 0;
  off_t end = ::lseek(descriptor, 0, SEEK_END);
  while (end > 0 && ::pread(descriptor, &last, 1, end - 1) == 1 && last != '\n') --end;
  return end;
}

}  // namespace

std::vector<std::filesystem::path> results_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(folder, code)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("results-") && name.ends_with(".jsonl")) files.push_back(entry.path());
  }
  if (code) throw FileError("cannot read", {folder.string(), "", "a folder", code.message()});
  std::ranges::sort(files);
  return files;
}

void read_results(const std::filesystem::path& file, const std::function<void(ItemResult)>& visit) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw failure("cannot read", file.string());
  std::string line;
  for (int64_t number = 1; std::getline(stream, line) && !stream.eof(); ++number)
    visit(parse_item_result(line, file.string() + ":" + std::to_string(number)));
}

ResultsFile::ResultsFile(const std::filesystem::path& file)
    : name_(file.string()), descriptor_(::open(file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {
  if (descriptor_ < 0) throw failure("cannot write", name_);
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    ::close(descriptor_);
    throw FileError("another process works on this shard", {name_, "", "a file that nobody holds", "a locked one"});
  }
  if (::ftruncate(descriptor_, whole_lines(descriptor_)) != 0) {
    ::close(descriptor_);
    throw failure("cannot write", name_);
  }
}

ResultsFile::~ResultsFile() {
  ::close(descriptor_);
}

bool ResultsFile::empty() const {
  return ::lseek(descriptor_, 0, SEEK_END) == 0;
}

void ResultsFile::append(const std::string& lines) {
  const off_t before = ::lseek(descriptor_, 0, SEEK_END);
  const ssize_t written = ::write(descriptor_, lines.data(), lines.size());
  if (written == static_cast<ssize_t>(lines.size())) return;
  const FileError error = failure("cannot write", name_);
  // A part of a line would spoil the next one. If even this fails, the next run cuts it off.
  [[maybe_unused]] const int cut = ::ftruncate(descriptor_, before);
  throw error;
}

void Ledger::settle(const std::vector<ItemResult>& results) {
  std::string lines;
  for (const ItemResult& result : results) lines += to_json(result) + "\n";
  const std::lock_guard lock(mutex_);
  if (file_) file_->append(lines);
  for (const ItemResult& result : results) {
    ++(result.state == ItemState::done ? summary_.done : summary_.failed);
    summary_.worth_retry |= result.retry;
    if (told_) told_(result);
  }
}

void Ledger::skip(ItemResult result) {
  result.state = ItemState::skipped;
  const std::lock_guard lock(mutex_);
  ++summary_.skipped;
  if (told_) told_(result);
}

BatchSummary Ledger::summary() const {
  const std::lock_guard lock(mutex_);
  return summary_;
}

}  // namespace lightswitch
