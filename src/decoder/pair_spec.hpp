#pragma once

#include <lightswitch/decoder_spec.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

/// `routed,light=SOURCE,heavy=SOURCE,gate=FILE,light.dtype=bf16,…`: two decoders as one.
namespace lightswitch {

inline constexpr std::string_view kPairSource = "routed";

/// What a pair's SPEC may say beside a family's options.
const std::vector<std::string>& pair_options();
/// "light.KEY" and "heavy.KEY" of a pair: options of its halves.
bool is_nested_option(const NetworkSpec& spec, const std::string& key);
/// Whether the SPEC names a pair, not one file or part of a package that happens to be called so.
bool names_pair(const NetworkSpec& spec);
/// @throws as open_decoder(), make_pair_decoder(); WeightsError for a gate that does not fit.
std::shared_ptr<const Decoder> open_pair(const NetworkSpec& spec, const NetworkContext& context);

}  // namespace lightswitch
