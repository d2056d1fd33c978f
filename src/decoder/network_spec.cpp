#include <lightswitch/decoder_spec.hpp>
#include <lightswitch/error.hpp>
#include <lightswitch/model_package.hpp>

#include <algorithm>

#include "core/nearest_word.hpp"

namespace lightswitch {
namespace {

/// SPEC options and the configuration keys they set; dtype and family are handled apart.
const std::map<std::string, std::string>& config_keys() {
  static const std::map<std::string, std::string> keys = {{"range", "output_range"},
                                                          {"latent-kind", "latent_kind"},
                                                          {"scaling-factor", "scaling_factor"},
                                                          {"shift-factor", "shift_factor"},
                                                          {"space", "space"}};
  return keys;
}

std::vector<std::string> known_options() {
  std::vector<std::string> known = {"dtype", "family"};
  for (const auto& [option, key] : config_keys()) known.push_back(option);
  return known;
}

struct Located {
  NetworkRequest request;
  const DecoderFamily* family;
};

/// A diffusers folder's weight file, or the file itself.
std::filesystem::path weight_file(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return path;
  for (const char* name :
       {"diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16.safetensors", "model.safetensors"})
    if (std::filesystem::exists(path / name)) return path / name;
  throw FileError("no weights in this folder",
                  {path.string(), "", "diffusion_pytorch_model.safetensors", "no such file"});
}

std::string known_names(const std::map<std::string, PackagedNetwork>& networks) {
  std::vector<std::string> names;
  for (const auto& [name, network] : networks) names.push_back(name);
  return join_words(names);
}

Located locate(const NetworkSpec& spec, const NetworkContext& context,
               const std::map<std::string, PackagedNetwork>* packaged) {
  Located located{{.weights = nullptr, .config = {}, .dtype = context.dtype, .device = context.device}, nullptr};
  NetworkRequest& request = located.request;
  std::string family;
  if (packaged && packaged->contains(spec.source)) {
    const PackagedNetwork& network = packaged->at(spec.source);
    request.weights = open_weights(context.package->verified(network.file));
    request.config = network.config;
    family = network.family;
  } else if (std::filesystem::exists(spec.source)) {
    const auto file = weight_file(spec.source);
    request.weights = open_weights(file);
    const auto config = file.parent_path() / "config.json";
    if (std::filesystem::exists(config)) request.config = read_config(config);
  } else {
    const std::string names = packaged ? "one of " + known_names(*packaged) + ", or a weight file" : "a weight file";
    throw FileError("no such decoder or encoder", {"", spec.source, names, "neither"});
  }
  for (const auto& [option, value] : spec.options) {
    if (option == "dtype") {
      const auto dtype = parse_dtype(value);
      if (!dtype) throw OptionError("unusable value", {"", "dtype", "auto, fp32, bf16 or fp16", value});
      request.dtype = *dtype;
    } else if (option == "family") {
      family = value;
    } else {
      request.config[config_keys().at(option)] = value;
    }
  }
  located.family = family.empty() ? &context.registry.recognise(*request.weights) : &context.registry.family(family);
  return located;
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
    const auto known = known_options();
    if (std::ranges::find(known, key) == known.end()) {
      const std::string nearest = nearest_word(key, known);
      throw OptionError("unknown option", {"", key, nearest.empty() ? join_words(known) : "perhaps " + nearest, item});
    }
    if (equals == std::string::npos) throw OptionError("an option without a value", {"", key, key + "=VALUE", item});
    if (!spec.options.emplace(key, item.substr(equals + 1)).second)
      throw OptionError("an option given twice", {"", key, "", ""});
  }
  if (spec.source.empty())
    throw OptionError("empty decoder name", {"", "decoder", "a name, a weight file or a folder", "nothing"});
  return spec;
}

std::shared_ptr<const Decoder> open_decoder(const NetworkSpec& spec, const NetworkContext& context) {
  const auto [request, family] = locate(spec, context, context.package ? &context.package->decoders() : nullptr);
  return family->make_decoder(request);
}

std::shared_ptr<const Encoder> open_encoder(const NetworkSpec& spec, const NetworkContext& context) {
  const auto [request, family] = locate(spec, context, context.package ? &context.package->encoders() : nullptr);
  if (!family->make_encoder)
    throw UnsupportedError("this family has no encoder", {request.weights->origin(), family->name, "", ""});
  return family->make_encoder(request);
}

}  // namespace lightswitch
