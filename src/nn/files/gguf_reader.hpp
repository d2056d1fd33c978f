#pragma once

#include <lightswitch/weights.hpp>

#include <filesystem>
#include <memory>

namespace lightswitch::nn {

/// A GGUF file, version 2 or 3, as long as none of its tensors is quantised: F32 F16 BF16 F64 I8 I16 I32 I64.
/// Its texts and numbers become metadata; its lists (tokenizers) are passed over.
/// @throws FileError, FormatError.
std::shared_ptr<const WeightSource> open_gguf(const std::filesystem::path& file);

}  // namespace lightswitch::nn
