#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/session.hpp"

namespace lightswitch::cli {

struct CodecCompareArguments {
  std::string input, model, output;
  std::vector<int64_t> bitrates;     ///< none: all that the model has
  std::vector<double> heavy_shares;  ///< for the gate; none: 0.2 and 0.4
};

/// One sound through the codec: every bit rate by the heavy decoder, and, where the model has them, by the light one
/// and by the gate at each share; by Opus at the same rates where its programs are installed. Writes into a folder: a
/// page with players, pictures and a table, the same pictures as sheet.png, and every sound as a wav file.
/// @throws UsageError, OptionError, FileError, FormatError, Cancelled.
void compare_sound(const CodecCompareArguments& arguments, Session& session);

}  // namespace lightswitch::cli
