#pragma once

#include <unistd.h>
#include <lightswitch/error.hpp>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <system_error>
#include <utility>

namespace lightswitch {

/// A fresh name in the target's folder, to be renamed over the target once its content is whole: whoever looks sees the
/// old file or the new one. The temporary keeps the target's extension, since libraries choose the format by it. Gone
/// with the object unless renamed. Header-only because the rooms below core write files too.
class PendingFile {
 public:
  /// @throws FileError when the target's folder does not exist or the target is a folder.
  explicit PendingFile(std::filesystem::path target) : target_(std::move(target)) {
    const auto folder = target_.has_parent_path() ? target_.parent_path() : std::filesystem::path(".");
    std::error_code code;
    if (!std::filesystem::is_directory(folder, code))
      throw FileError("cannot write", {target_.string(), "", "an existing folder", folder.string()});
    if (std::filesystem::is_directory(target_, code))
      throw FileError("cannot write", {target_.string(), "", "a file name", "a folder"});
    const std::string unique = std::to_string(::getpid()) + "-" + std::to_string(std::random_device{}());
    temporary_ = folder / ("." + target_.stem().string() + "." + unique + target_.extension().string());
  }
  ~PendingFile() {
    std::error_code code;
    if (!temporary_.empty()) std::filesystem::remove(temporary_, code);
  }
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;

  const std::filesystem::path& target() const { return target_; }
  const std::filesystem::path& temporary() const { return temporary_; }
  /// Once. @throws FileError when the rename fails.
  void rename_to(const std::filesystem::path& name) {
    std::error_code code;
    std::filesystem::rename(temporary_, name, code);
    if (code) throw FileError("cannot write", {name.string(), "", "", code.message()});
    temporary_.clear();
  }

 private:
  std::filesystem::path target_, temporary_;
};

/// Runs `write(temporary)` and renames the result over the target.
/// @throws FileError; what `write` throws passes through. Either way the temporary is gone and the target untouched.
inline void write_atomically(const std::filesystem::path& target,
                             const std::function<void(const std::filesystem::path& temporary)>& write) {
  PendingFile file(target);
  write(file.temporary());
  file.rename_to(target);
}

/// write_atomically() for callers with a std::ostream's worth of bytes. @throws FileError also when the disk is full.
inline void write_stream_atomically(const std::filesystem::path& target,
                                    const std::function<void(std::ostream&)>& write) {
  write_atomically(target, [&](const std::filesystem::path& temporary) {
    std::ofstream stream(temporary, std::ios::binary);
    if (stream) write(stream);
    stream.close();
    if (!stream) throw FileError("cannot write", {target.string(), "", "", std::strerror(errno)});
  });
}

}  // namespace lightswitch
