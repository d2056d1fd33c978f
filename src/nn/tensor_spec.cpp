#include <lightswitch/tensor_spec.hpp>

#include <array>
#include <utility>

namespace lightswitch {
namespace {

template <typename Enum, size_t Count>
using Names = std::array<std::pair<Enum, const char*>, Count>;

constexpr Names<LatentKind, 3> kLatentKinds{
    {{LatentKind::raw, "raw"}, {LatentKind::diffusion, "diffusion"}, {LatentKind::indices, "indices"}}};
constexpr Names<OutputRange, 2> kOutputRanges{{{OutputRange::signed_unit, "signed"}, {OutputRange::unit, "unit"}}};
constexpr Names<DType, 5> kDTypes{{{DType::automatic, "auto"},
                                   {DType::fp32, "fp32"},
                                   {DType::bf16, "bf16"},
                                   {DType::fp16, "fp16"},
                                   {DType::int8, "int8"}}};

template <typename Enum, size_t Count>
const char* name_of(const Names<Enum, Count>& names, Enum value) {
  for (const auto& [candidate, name] : names)
    if (candidate == value) return name;
  return "?";
}

template <typename Enum, size_t Count>
std::optional<Enum> parse(const Names<Enum, Count>& names, const std::string& text) {
  for (const auto& [value, name] : names)
    if (text == name) return value;
  return std::nullopt;
}

}  // namespace

const char* to_string(LatentKind kind) {
  return name_of(kLatentKinds, kind);
}
const char* to_string(OutputRange range) {
  return name_of(kOutputRanges, range);
}
const char* to_string(DType dtype) {
  return name_of(kDTypes, dtype);
}

std::optional<LatentKind> parse_latent_kind(const std::string& text) {
  return parse(kLatentKinds, text);
}
std::optional<OutputRange> parse_output_range(const std::string& text) {
  return parse(kOutputRanges, text);
}
std::optional<DType> parse_dtype(const std::string& text) {
  return parse(kDTypes, text);
}

}  // namespace lightswitch
