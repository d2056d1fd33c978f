#include "cli/network_lookup.hpp"

#include <lightswitch/error.hpp>
#include <lightswitch/plugin_host.hpp>

#include <cstdio>
#include <type_traits>

#include "cli/model_lookup.hpp"

namespace lightswitch::cli {

NetworkLookup::NetworkLookup(Session& session, std::string model)
    : session_(session), model_(std::move(model)), registry_(builtin_decoder_families()) {}

const ModelPackage& NetworkLookup::package() {
  if (!package_) {
    const auto folder = find_model(model_);
    package_ = ModelPackage::open(folder);
    session_.detail("model: " + package_->name() + " in " + folder.string());
  }
  return *package_;
}

NetworkContext NetworkLookup::context(const NetworkSpec& spec) {
  const auto names_file = [](const std::string& source) {
    return std::filesystem::exists(source) || PluginSource::parse(source);
  };
  const auto light = spec.options.find("light"), heavy = spec.options.find("heavy");
  const bool is_pair = light != spec.options.end() && heavy != spec.options.end();
  const bool is_file = is_pair ? names_file(light->second) && names_file(heavy->second) : names_file(spec.source);
  return {.registry = registry_,
          .package = is_file && model_.empty() ? nullptr : &package(),
          .dtype = checked_dtype(session_.common()),
          .log = [this](const LogMessage& message) { session_.warn(message.text); }};
}

NetworkSpec NetworkLookup::of_decoder(std::string& spec) {
  if (spec.empty()) spec = package().default_decoder();
  return parse_spec(spec);
}

std::shared_ptr<const Decoder> NetworkLookup::decoder(std::string& spec) {
  const NetworkSpec parsed = of_decoder(spec);
  auto decoder = open_decoder(parsed, context(parsed));
  session_.detail("decoder: " + spec + " (" + describe(decoder->info()) + ")");
  return decoder;
}

std::shared_ptr<const Decoder> NetworkLookup::decoder_in(const std::string& spec, const std::string& dtype,
                                                         const std::string& calibration) {
  NetworkSpec parsed = parse_spec(spec);
  parsed.options["dtype"] = dtype;
  parsed.options["calibration"] = calibration;
  return open_decoder(parsed, context(parsed));
}

std::filesystem::path NetworkLookup::calibration_file(const std::string& spec) {
  const NetworkSpec parsed = parse_spec(spec);
  return lightswitch::calibration_file(parsed, context(parsed));
}

bool NetworkLookup::decodes_clips(std::string& spec) {
  const NetworkSpec parsed = of_decoder(spec);
  return lightswitch::decodes_clips(parsed, context(parsed));
}

std::shared_ptr<const TemporalDecoder> NetworkLookup::temporal_decoder(std::string& spec) {
  const NetworkSpec parsed = of_decoder(spec);
  auto decoder = open_temporal_decoder(parsed, context(parsed));
  session_.detail("decoder of clips: " + spec + " (" + describe(decoder->info()) + ")");
  return decoder;
}

template <typename Open>
auto NetworkLookup::reopening(const std::string& spec, NetworkInfo& info, Open open) {
  using Network = std::invoke_result_t<Open, const NetworkSpec&, const NetworkContext&>;
  return [this, spec, &info, open](const NumericError& error) -> Network {
    if (info.dtype == DType::fp32) return nullptr;
    session_.warn(std::string(error.what()) + "; decoding again in fp32");
    NetworkSpec parsed = parse_spec(spec);
    parsed.options["dtype"] = "fp32";
    for (auto& [option, value] : parsed.options)
      if (option.ends_with(".dtype")) value = "fp32";  // of a pair's halves
    Network network = open(parsed, context(parsed));
    info = network->info();
    return network;
  };
}

OpenWider NetworkLookup::in_fp32(const std::string& spec, NetworkInfo& info) {
  return reopening(spec, info, open_decoder);
}

OpenWiderClips NetworkLookup::clips_in_fp32(const std::string& spec, NetworkInfo& info) {
  return reopening(spec, info, open_temporal_decoder);
}

std::shared_ptr<const Encoder> NetworkLookup::encoder(std::string& spec) {
  if (spec.empty()) {
    spec = package().default_encoder();
    if (spec.empty())
      throw UnsupportedError("this model has no encoder",
                             {package().folder().string(), "encoder", "--encoder SPEC", "nothing"});
  }
  const NetworkSpec parsed = parse_spec(spec);
  auto encoder = open_encoder(parsed, context(parsed));
  session_.detail("encoder: " + spec + " (" + describe(encoder->info()) + ")");
  return encoder;
}

std::optional<LatentKind> checked_kind(const std::string& text) {
  if (text.empty()) return {};
  const auto kind = parse_latent_kind(text);
  if (!kind) throw UsageError("unknown value", {"", "--kind", "raw, diffusion or indices", text});
  return kind;
}

NetworkSpec parse_spec(const std::string& text) {
  try {
    return NetworkSpec::parse(text);
  } catch (const OptionError& error) {
    throw UsageError(error.what());
  }
}

std::string describe(const NetworkInfo& info) {
  char parameters[32];
  std::snprintf(parameters, sizeof parameters, "%.2f M", static_cast<double>(info.parameters) / 1e6);
  return info.family + ", " + (info.configuration.empty() ? "" : info.configuration + ", ") + parameters +
         " parameters, " + to_string(info.dtype);
}

}  // namespace lightswitch::cli
