#pragma once

#include <lightswitch/weights.hpp>

#include <array>
#include <filesystem>
#include <memory>
#include <utility>

namespace lightswitch::nn {

/// Element types of safetensors that LibTorch knows, with the names the format uses.
inline constexpr std::array<std::pair<const char*, at::ScalarType>, 10> kSafetensorsTypes{{
    {"F64", at::kDouble},
    {"F32", at::kFloat},
    {"F16", at::kHalf},
    {"BF16", at::kBFloat16},
    {"I64", at::kLong},
    {"I32", at::kInt},
    {"I16", at::kShort},
    {"I8", at::kChar},
    {"U8", at::kByte},
    {"BOOL", at::kBool},
}};

/// @throws FileError, FormatError as open_weights().
std::shared_ptr<const WeightSource> open_safetensors(const std::filesystem::path& file);

}  // namespace lightswitch::nn
