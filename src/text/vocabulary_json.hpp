#pragma once

#include <filesystem>

#include "text/clip_vocabulary.hpp"

namespace lightswitch::text {

/// Adds what {"token": id, …} says.
/// @throws FormatError naming the key unless the ids are 0 … size - 1 and every token stands there once.
void read_vocabulary_json(const std::filesystem::path& file, TokenIds& ids);

}  // namespace lightswitch::text
