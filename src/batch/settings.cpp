#include <lightswitch/version.h>
#include <lightswitch/batch/settings.hpp>
#include <lightswitch/decoder_spec.hpp>
#include <lightswitch/error.hpp>
#include <lightswitch/media/image_io.hpp>
#include <lightswitch/model_package.hpp>

#include <algorithm>

#include "batch/sound_facts.hpp"
#include "batch/spec_weights.hpp"
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

Json sound_json(const SoundSettings& sound) {
  return {{"model", sound.model},
          {"bitrate", sound.options.bitrate},
          {"route", sound.options.route},
          {"heavy_share", sound.options.heavy_share},
          {"extension", sound.extension}};
}

Json settings_json(const BatchSettings& settings) {
  Json json{{"version", settings.version},
            {"model", settings.model},
            {"model_sha256", settings.model_sha256},
            {"model_decoders", settings.packaged},
            {"options", options_json(settings.options)},
            {"decoder", settings.decoder},
            {"dtype", to_string(settings.dtype)},
            {"denoiser_dtype", to_string(settings.denoiser_dtype)},
            {"strict_dtype", settings.strict_dtype},
            {"tiles", tiles_json(settings.options.tiles)},
            {"extension", settings.extension},
            {"quality", settings.quality},
            {"metadata", settings.metadata}};
  if (!settings.sound.model.empty()) json["sound"] = sound_json(settings.sound);
  return json;
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

SoundSettings read_sound(const JsonObject& object) {
  object.allow_only({"model", "bitrate", "route", "heavy_share", "extension"});
  SoundSettings sound;
  sound.model = object.text("model");
  sound.options = {object.integer("bitrate", 0), object.text("route"), object.number("heavy_share")};
  sound.extension = object.text("extension");
  return sound;
}

}  // namespace

void BatchSettings::validate() const {
  options.validate();
  sound.validate();
  if (sound.model.empty() || !decoder.empty()) NetworkSpec::parse(decoder);
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
  for (const auto& [name, network] : package->decoders()) settings.packaged.push_back(name);
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
  if (item.is_picture()) return of_picture(item);
  Json facts = sound_facts(item, settings_.sound);
  facts["version"] = settings_.version;
  return sha256(dump(facts, -1));
}

std::string BatchDigest::of_picture(const BatchItem& item) {
  const std::string& decoder = item.decoder ? *item.decoder : settings_.decoder;
  const auto [weights, is_new] = weights_.try_emplace(decoder);
  if (is_new) weights->second = weights_of_spec(decoder, settings_.packaged);
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
  object.allow_only({"version", "model", "model_sha256", "model_decoders", "options", "decoder", "dtype",
                     "denoiser_dtype", "strict_dtype", "tiles", "extension", "quality", "metadata", "sound"});
  const JsonObject options = object.object("options"), tiles = object.object("tiles");
  BatchSettings settings;
  settings.version = object.text("version");
  settings.model = object.text("model");
  settings.model_sha256 = object.text("model_sha256");
  settings.packaged = object.texts("model_decoders");
  settings.decoder = object.text("decoder");
  settings.dtype = dtype_at(object, "dtype", name);
  settings.denoiser_dtype = dtype_at(object, "denoiser_dtype", name);
  settings.strict_dtype = truth_at(object, "strict_dtype", name);
  settings.extension = object.text("extension");
  settings.quality = static_cast<int>(std::min<int64_t>(object.integer("quality", 1), 101));
  settings.metadata = truth_at(object, "metadata", name);
  if (object.has("sound")) settings.sound = read_sound(object.object("sound"));
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
