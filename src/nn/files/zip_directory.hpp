#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>

namespace lightswitch::nn {

/// One file of a zip archive.
struct ZipEntry {
  uint16_t method = 0;               ///< 0: stored as it is; anything else is compressed or encrypted
  std::span<const std::byte> bytes;  ///< as they lie in the archive
};

inline constexpr uint16_t kZipStored = 0;
/// Stands for a method when the entry is encrypted.
inline constexpr uint16_t kZipEncrypted = 0xffff;

/// The directory of a zip archive, zip64 included; every entry lies inside the file, and its local header tells the
/// same name. Checksums are not computed. (PKWARE's APPNOTE 6.3, sections 4.3 to 4.5.)
/// @throws FormatError naming `origin` and the entry for anything that contradicts itself, and for a name told twice.
std::map<std::string, ZipEntry> read_zip_directory(std::span<const std::byte> file, const std::string& origin);

}  // namespace lightswitch::nn
