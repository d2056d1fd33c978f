#pragma once

#include <filesystem>
#include <string>

namespace lightswitch {

/// SHA-256 (FIPS 180-4) of a file as 64 lower-case hex digits. @throws FileError.
std::string sha256_file(const std::filesystem::path& file);
/// The same of bytes in memory.
std::string sha256(const std::string& bytes);

}  // namespace lightswitch
