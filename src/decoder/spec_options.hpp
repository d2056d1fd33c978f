#pragma once

#include <lightswitch/decoder_registry.hpp>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lightswitch {

/// SPEC options that say how a network's latents and pictures are to be read, and the configuration keys they set.
const std::map<std::string, std::string>& config_options();

/// Every option that a SPEC may carry whatever it names: those above, dtype and family.
std::vector<std::string> common_options();

/// Options of single built-in families, each also the configuration key it sets: DecoderFamily::options.
const std::vector<std::string>& family_options();

/// @throws OptionError.
DType dtype_option(const std::string& value);

/// "perhaps dtype" where a known word is near, else the list of all.
std::string suggest(std::string_view word, const std::vector<std::string>& known);

/// The config.json that belongs to a weight file or a diffusers folder; empty when there is none.
/// @throws FileError, FormatError.
Config config_beside(const std::filesystem::path& weights);

/// The dtype to ask a network for: never fp16 where its config says force_upcast, as diffusers' does for networks whose
/// numbers overflow in it. @throws OptionError when that is neither true nor false.
DType dtype_without_overflow(DType asked, const Config& config);

}  // namespace lightswitch
