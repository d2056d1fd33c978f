#include <lightswitch/calibration.hpp>
#include <lightswitch/decoder_spec.hpp>
#include <lightswitch/error.hpp>
#include <lightswitch/model_package.hpp>
#include <lightswitch/plugin_host.hpp>
#include <lightswitch/temporal_decoder.hpp>

#include <algorithm>
#include <type_traits>

#include "core/nearest_word.hpp"
#include "decoder/pair_spec.hpp"
#include "decoder/spec_options.hpp"

namespace lightswitch {
namespace {

/// Options that only a family which lists them understands; another one would ignore them.
void refuse_options_of_other_families(const NetworkSpec& spec, const DecoderFamily& family) {
  auto known = common_options();
  known.insert(known.end(), family.options.begin(), family.options.end());
  for (const auto& [option, value] : spec.options)
    if (std::ranges::find(known, option) == known.end())
      throw OptionError("the family " + family.name + " has no such option", {"", option, join_words(known), value});
}

struct Located {
  NetworkRequest request;
  const DecoderFamily* family;
  std::filesystem::path calibration;  ///< where that of the network is
};

std::filesystem::path packaged_calibration(const ModelPackage& package, const std::string& weights) {
  const auto name = calibration_beside(weights);
  return package.lists(name) ? package.verified(name) : package.folder() / name;
}

std::string known_names(const std::map<std::string, PackagedNetwork>& networks) {
  std::vector<std::string> names;
  for (const auto& [name, network] : networks) names.push_back(name);
  return join_words(names);
}

using Packaged = const std::map<std::string, PackagedNetwork>;

Packaged* packaged_decoders(const NetworkContext& context) {
  return context.package ? &context.package->decoders() : nullptr;
}

Located locate(const NetworkSpec& spec, const NetworkContext& context, Packaged* packaged) {
  Located located{{.weights = nullptr, .config = {}, .dtype = context.dtype, .device = context.device}, nullptr, {}};
  NetworkRequest& request = located.request;
  std::string family;
  if (packaged && packaged->contains(spec.source)) {
    const PackagedNetwork& network = packaged->at(spec.source);
    request.weights = open_weights(context.package->verified(network.file));
    request.config = network.config;
    located.calibration = packaged_calibration(*context.package, network.file);
    family = network.family;
  } else if (std::filesystem::exists(spec.source)) {
    const auto file = find_weight_file(spec.source);
    request.weights = open_weights(file);
    request.config = config_beside(file);
    located.calibration = calibration_beside(file);
  } else {
    const std::string names = packaged ? "one of " + known_names(*packaged) + ", or a weight file" : "a weight file";
    throw FileError("no such decoder or encoder", {"", spec.source, names, "neither"});
  }
  for (const auto& [option, value] : spec.options) {
    if (option == "dtype") {
      request.dtype = dtype_option(value);
    } else if (option == "family") {
      family = value;
    } else if (option == "calibration") {
      located.calibration = value;
    } else if (const auto key = config_options().find(option); key != config_options().end()) {
      request.config[key->second] = value;
    } else {
      request.config[option] = value;
    }
  }
  request.dtype = dtype_without_overflow(request.dtype, request.config);
  located.family = family.empty() ? &context.registry.recognise(*request.weights) : &context.registry.family(family);
  refuse_options_of_other_families(spec, *located.family);
  return located;
}

std::shared_ptr<const Calibration> found_calibration(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file))
    throw FileError("int8 needs a calibration, which `lightswitch calibrate` makes",
                    {file.string(), "calibration", "a file there, or calibration=FILE", "none"});
  return std::make_shared<const Calibration>(read_calibration(file));
}

UnsupportedError not_in_int8(const NetworkSpec& spec, const char* what) {
  return UnsupportedError(std::string("int8 is for decoders of pictures, not for ") + what,
                          {"", "dtype", "auto, fp32 or bf16", spec.source + " in int8"});
}

PluginSettings plugin_settings(const NetworkSpec& spec, const NetworkContext& context) {
  const auto own = spec.options.find("dtype");
  if ((own == spec.options.end() ? context.dtype : dtype_option(own->second)) == DType::int8)
    throw not_in_int8(spec, "plug-ins");
  return {.options = spec.options, .dtype = context.dtype, .device = context.device};
}

/// Says so where a network is not computed in the dtype that was asked for.
void tell_dtype(const NetworkSpec& spec, const NetworkContext& context, const Config& config, const NetworkInfo& info) {
  const auto own = spec.options.find("dtype");
  const DType asked = own == spec.options.end() ? context.dtype : dtype_option(own->second);
  if (context.log && dtype_without_overflow(asked, config) != asked)
    context.log({LogLevel::warning, spec.source + " overflows in " + to_string(asked) +
                                        ", as its config.json says (force_upcast): computed in " +
                                        to_string(info.dtype)});
}

Config config_of(const PluginSource& plugin) {
  return plugin.weights.empty() ? Config{} : config_beside(plugin.weights);
}

/// The network that a SPEC names, a plug-in's or a family's.
template <typename OpenPlugin, typename Make>
auto open_network(const NetworkSpec& spec, const NetworkContext& context, Packaged* packaged, OpenPlugin open_plugin,
                  Make make) {
  std::invoke_result_t<OpenPlugin, const PluginSource&, const PluginSettings&> network;
  Config config;
  if (const auto plugin = PluginSource::parse(spec.source)) {
    network = open_plugin(*plugin, plugin_settings(spec, context));
    config = config_of(*plugin);
  } else {
    auto [request, family, calibration] = locate(spec, context, packaged);
    if (request.dtype == DType::int8) {
      if constexpr (!std::is_same_v<decltype(network), std::shared_ptr<const Decoder>>)
        throw not_in_int8(spec, "encoders and clips");
      request.calibration = found_calibration(calibration);
    }
    network = (context.registry.*make)(*family, request);
    config = request.config;
  }
  tell_dtype(spec, context, config, network->info());
  return network;
}

}  // namespace

NetworkSpec NetworkSpec::parse(std::string_view text) {
  NetworkSpec spec;
  for (bool first = true; !text.empty() || first; first = false) {
    const size_t comma = std::min(text.find(','), text.size());
    const std::string item(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
    if (first) {
      spec.source = item;
      continue;
    }
    const size_t equals = item.find('=');
    const std::string key = item.substr(0, equals);
    // A plug-in's own options are known once it is opened.
    auto known = common_options();
    known.insert(known.end(), family_options().begin(), family_options().end());
    if (spec.source == kPairSource) known.insert(known.end(), pair_options().begin(), pair_options().end());
    const bool is_known = std::ranges::find(known, key) != known.end() || is_nested_option(spec, key);
    if (!PluginSource::parse(spec.source) && !is_known)
      throw OptionError("unknown option", {"", key, suggest(key, known), item});
    if (equals == std::string::npos) throw OptionError("an option without a value", {"", key, key + "=VALUE", item});
    if (!spec.options.emplace(key, item.substr(equals + 1)).second)
      throw OptionError("an option given twice", {"", key, "", ""});
  }
  if (spec.source.empty())
    throw OptionError("empty decoder name", {"", "decoder", "a name, a weight file, a folder or a plug-in", "nothing"});
  return spec;
}

std::shared_ptr<const Decoder> open_decoder(const NetworkSpec& spec, const NetworkContext& context) {
  if (names_pair(spec)) return open_pair(spec, context);
  return open_network(spec, context, packaged_decoders(context), open_plugin_decoder, &DecoderRegistry::make_decoder);
}

std::shared_ptr<const Encoder> open_encoder(const NetworkSpec& spec, const NetworkContext& context) {
  return open_network(spec, context, context.package ? &context.package->encoders() : nullptr, open_plugin_encoder,
                      &DecoderRegistry::make_encoder);
}

std::filesystem::path calibration_file(const NetworkSpec& spec, const NetworkContext& context) {
  if (names_pair(spec)) throw not_in_int8(spec, "pairs, whose halves may be");
  if (PluginSource::parse(spec.source)) throw not_in_int8(spec, "plug-ins");
  return locate(spec, context, packaged_decoders(context)).calibration;
}

bool decodes_clips(const NetworkSpec& spec, const NetworkContext& context) {
  if (names_pair(spec)) return false;
  if (const auto plugin = PluginSource::parse(spec.source)) {
    try {
      return open_plugin_temporal_decoder(*plugin, plugin_settings(spec, context)) != nullptr;
    } catch (const UnsupportedError&) {
      return false;
    } catch (const WeightsError&) {
      return false;
    }
  }
  const auto [request, family, calibration] = locate(spec, context, packaged_decoders(context));
  return family->decodes_clips && family->decodes_clips(*request.weights);
}

std::shared_ptr<const TemporalDecoder> open_temporal_decoder(const NetworkSpec& spec, const NetworkContext& context) {
  if (names_pair(spec))
    throw UnsupportedError("a pair of decoders decodes pictures", {"", spec.source, "a decoder of clips", ""});
  return open_network(spec, context, packaged_decoders(context), open_plugin_temporal_decoder,
                      &DecoderRegistry::make_temporal_decoder);
}

}  // namespace lightswitch
