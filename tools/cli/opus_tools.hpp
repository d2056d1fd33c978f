#pragma once

#include <cstdint>
#include <filesystem>

/// Opus, the codec that others are measured against, through the programs opusenc and opusdec (opus-tools).
namespace lightswitch::cli {

/// Whether both are on the PATH.
bool has_opus_tools();

/// A wav file to Opus at so many bits a second, and back to a wav file.
/// @return bits of the Opus file. @throws FileError naming the program that failed.
int64_t through_opus(const std::filesystem::path& wav, int64_t bits_per_second, int64_t sample_rate,
                     const std::filesystem::path& opus, const std::filesystem::path& back);

}  // namespace lightswitch::cli
