#pragma once

#include <filesystem>

#include "text/clip_vocabulary.hpp"

namespace lightswitch::text {

/// Reads {"token": id, …}. @throws FormatError naming the key unless the ids are 0 … size - 1 and every token stands
/// there once.
TokenIds read_vocabulary_json(const std::filesystem::path& file);

}  // namespace lightswitch::text
