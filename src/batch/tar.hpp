#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace lightswitch {

/// One file of a tar: 512 bytes of header, the content, zeros up to the next 512 (ustar, POSIX.1-1988).
/// @param name at most 100 bytes. @param time seconds since 1970. @throws OptionError for a name that is too long.
std::string tar_entry(const std::string& name, const std::string& content, int64_t time);
/// What ends a tar.
std::string tar_end();

/// A file inside a tar, and how to read it.
struct TarMember {
  std::string name;
  int64_t bytes = 0;
  std::function<std::string()> read;  ///< valid during the visit. @throws FileError.
};

/// Visits the regular files of a tar in order; contents that are not asked for are not read. Only what tar_entry() and
/// its like write: other kinds of entries are refused. @throws FileError, FormatError.
void visit_tar(const std::filesystem::path& file, const std::function<void(const TarMember&)>& visit);

}  // namespace lightswitch
