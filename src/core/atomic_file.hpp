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

namespace lightswitch {

/// Runs `write(temporary)` on a fresh name in the target's folder and renames the result over the target: whoever looks
/// sees the old file or the whole new one. The temporary keeps the target's extension, since image libraries choose the
/// format by it. Header-only because the rooms below core write files too.
/// @throws FileError when the folder does not exist or the rename fails; what `write` throws passes through. Either way
/// the temporary is gone and the target untouched.
inline void write_atomically(const std::filesystem::path& target,
                             const std::function<void(const std::filesystem::path& temporary)>& write) {
  const auto folder = target.has_parent_path() ? target.parent_path() : std::filesystem::path(".");
  std::error_code code;
  if (!std::filesystem::is_directory(folder, code))
    throw FileError("cannot write", {target.string(), "", "an existing folder", folder.string()});
  if (std::filesystem::is_directory(target, code))
    throw FileError("cannot write", {target.string(), "", "a file name", "a folder"});
  const std::string unique = std::to_string(::getpid()) + "-" + std::to_string(std::random_device{}());
  const auto temporary = folder / ("." + target.stem().string() + "." + unique + target.extension().string());
  try {
    write(temporary);
    std::filesystem::rename(temporary, target);
  } catch (const std::filesystem::filesystem_error& error) {
    std::filesystem::remove(temporary, code);
    throw FileError("cannot write", {target.string(), "", "", error.code().message()});
  } catch (...) {
    std::filesystem::remove(temporary, code);
    throw;
  }
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
