#include <lightswitch/version.h>
#include <lightswitch/batch/settings.hpp>
#include <lightswitch/decoder_spec.hpp>
#include <lightswitch/error.hpp>
#include <lightswitch/media/image_io.hpp>
#include <lightswitch/model_package.hpp>
#include <lightswitch/plugin_host.hpp>

#include <algorithm>

#include "core/atomic_file.hpp"
#include "core/nearest_word.hpp"
#include "core/sha256.hpp"
#include "io/json_reader.hpp"
#include "nn/weight_loader.hpp"

namespace lightswitch {
namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

/// A file's hash, or one over names and hashes of a folder's files.
std::string content_sha256(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return sha256_file(path);
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(path))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::ranges::sort(files);
  std::string text;
  for (const auto& file : files) text += file.filename().string() + " " + sha256_file(file) + "\n";
  return sha256(text);
}

/// What a SPEC's weights are; those of a package are in the package's own hash.
std::string weights_of(const std::string& spec) {
  const std::string source = NetworkSpec::parse(spec).source;
  if (const auto plugin = PluginSource::parse(source)) {
    const std::string weights = plugin->weights.empty() ? "" : content_sha256(plugin->weights);
    return sha256_file(plugin->plugin) + " " + weights;
  }
  return std::filesystem::exists(source) ? content_sha256(source) : "package";
}

Json options_json(const TextToImageOptions& options) {
  return {{"negative_prompt", options.negative_prompt},
          {"width", options.width},
          {"height", options.height},
          {"steps", options.steps},
          {"cfg_scale", options.cfg_scale},
          {"sampling_method", options.sampling_method},
          {"seed", options.seed},
          {"clip_skip", options.clip_skip}};
}

Json tiles_json(const TileOptions& tiles) {
  return {{"size", tiles.size}, {"overlap", tiles.overlap}, {"only_exact", tiles.only_exact}};
}

Json settings_json(const BatchSettings& settings) {
  return {{"version", settings.version},
          {"model", settings.model},
          {"model_sha256", settings.model_sha256},
          {"options", options_json(settings.options)},
          {"decoder", settings.decoder},
          {"dtype", to_string(settings.dtype)},
          {"denoiser_dtype", to_string(settings.denoiser_dtype)},
          {"strict_dtype", settings.strict_dtype},
          {"tiles", tiles_json(settings.options.tiles)},
          {"extension", settings.extension},
          {"quality", settings.quality},
          {"metadata", settings.metadata}};
}

DType dtype_at(const JsonObject& object, const std::string& key, const std::string& file) {
  const auto dtype = parse_dtype(object.text(key));
  if (!dtype) throw FormatError("unknown value", {file, key, "fp32, bf16 or fp16", object.text(key)});
  return *dtype;
}

bool truth_at(const JsonObject& object, const std::string& key, const std::string& file) {
  const auto value = object.raw().value(key, nlohmann::json());
  if (!value.is_boolean()) throw FormatError("wrong type", {file, object.path(key), "true or false", value.dump()});
  return value.get<bool>();
}

}  // namespace

void BatchSettings::validate() const {
  options.validate();
  NetworkSpec::parse(decoder);
  const auto& known = image_extensions();
  if (std::ranges::find(known, extension) == known.end())
    throw OptionError("unknown kind of picture", {"", "extension", "one of " + join_words(known), extension});
  if (quality < 1 || quality > 100)
    throw OptionError("out of range", {"", "quality", "1 … 100", std::to_string(quality)});
  for (const DType each : {dtype, denoiser_dtype})
    if (each == DType::automatic)
      throw OptionError("has to be resolved, or machines differ", {"", "dtype", "fp32, bf16 or fp16", "auto"});
}

BatchSettings batch_defaults(const ModelPackage* package) {
  BatchSettings settings;
  settings.version = LIGHTSWITCH_VERSION;
  if (package == nullptr) return settings;
  settings.model = package->name();
  settings.model_sha256 = sha256_file(package->folder() / "model.json");
  settings.options = package->defaults();
  settings.decoder = package->default_decoder();
  return settings;
}

DType resolved_for_cpu(DType asked) {
  return nn::resolve_dtype(asked, c10::Device(c10::kCPU));
}

TextToImageOptions options_of(const BatchItem& item, const BatchSettings& settings) {
  TextToImageOptions options = settings.options;
  options.prompt = item.prompt.value_or("");
  options.negative_prompt = item.negative_prompt.value_or(options.negative_prompt);
  options.seed = item.seed.value_or(options.seed);
  options.steps = item.steps.value_or(options.steps);
  options.width = item.width.value_or(options.width);
  options.height = item.height.value_or(options.height);
  options.cfg_scale = item.cfg_scale.value_or(options.cfg_scale);
  options.batch_count = 1;
  options.validate();
  return options;
}

std::string BatchDigest::of(const BatchItem& item) {
  const std::string& decoder = item.decoder ? *item.decoder : settings_.decoder;
  const auto [weights, is_new] = weights_.try_emplace(decoder);
  if (is_new) weights->second = weights_of(decoder);
  Json facts{{"version", settings_.version},
             {"decoder", decoder},
             {"weights", weights->second},
             {"model", settings_.model_sha256},
             {"dtype", to_string(settings_.dtype)},
             {"strict_dtype", settings_.strict_dtype},
             {"tiles", tiles_json(settings_.options.tiles)},
             {"extension", settings_.extension},
             {"quality", settings_.quality},
             {"metadata", settings_.metadata}};
  if (item.prompt) {
    facts["prompt"] = *item.prompt;
    facts["options"] = options_json(options_of(item, settings_));
    facts["denoiser_dtype"] = to_string(settings_.denoiser_dtype);
  } else {
    facts["latents"] = sha256_file(item.latents);
  }
  return sha256(dump(facts, -1));
}

BatchSettings read_batch_settings(const std::filesystem::path& file) {
  const std::string name = file.string();
  const nlohmann::json json = read_json(file);
  const JsonObject object(json, name, "");
  object.allow_only({"version", "model", "model_sha256", "options", "decoder", "dtype", "denoiser_dtype",
                     "strict_dtype", "tiles", "extension", "quality", "metadata"});
  const JsonObject options = object.object("options"), tiles = object.object("tiles");
  BatchSettings settings;
  settings.version = object.text("version");
  settings.model = object.text("model");
  settings.model_sha256 = object.text("model_sha256");
  settings.decoder = object.text("decoder");
  settings.dtype = dtype_at(object, "dtype", name);
  settings.denoiser_dtype = dtype_at(object, "denoiser_dtype", name);
  settings.strict_dtype = truth_at(object, "strict_dtype", name);
  settings.extension = object.text("extension");
  settings.quality = static_cast<int>(std::min<int64_t>(object.integer("quality", 1), 101));
  settings.metadata = truth_at(object, "metadata", name);
  TextToImageOptions& to = settings.options;
  to.negative_prompt = options.text("negative_prompt");
  to.width = options.integer("width", 1);
  to.height = options.integer("height", 1);
  to.steps = options.integer("steps", 1);
  to.cfg_scale = options.number("cfg_scale");
  to.sampling_method = options.text("sampling_method");
  to.seed = options.integer("seed", 0);
  to.clip_skip = options.integer("clip_skip", 0);
  to.tiles = {tiles.integer("size", 0), tiles.number("overlap"), truth_at(tiles, "only_exact", name)};
  settings.validate();
  return settings;
}

void write_batch_settings(const std::filesystem::path& file, const BatchSettings& settings) {
  const std::string text = dump(settings_json(settings), 2) + "\n";
  write_stream_atomically(file, [&](std::ostream& stream) { stream << text; });
}

bool same_settings(const std::filesystem::path& file, const BatchSettings& settings) {
  return read_json(file) == nlohmann::json(settings_json(settings));
}

}  // namespace lightswitch
