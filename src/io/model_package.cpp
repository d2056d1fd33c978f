#include <lightswitch/clip_tokenizer.hpp>
#include <lightswitch/decoder_spec.hpp>
#include <lightswitch/error.hpp>
#include <lightswitch/model_package.hpp>
#include <lightswitch/torchscript.hpp>

#include <algorithm>
#include <optional>

#include "core/sha256.hpp"
#include "io/json_reader.hpp"

namespace lightswitch {

/// The parts that are not networks, as model.json names them. Paths are relative to the folder.
struct ModelPackage::Parts {
  /// A tokenizer and the encoder that reads its ids.
  struct Reader {
    std::string tokenizer_folder;
    int64_t tokenizer_length = 0;
    std::string encoder;
    std::vector<std::string> outputs;
  };
  std::optional<Reader> text, text_2;
  bool zero_empty_negative = false;
  std::string image_encoder;  ///< empty: none
  int64_t image_encoder_size = 0;
  std::string denoiser, denoiser_space;
  std::vector<std::string> denoiser_inputs;
  int64_t size_multiple = 1;
  std::map<std::string, std::string> schedulers;
};

namespace {

/// A relative path that stays inside the folder, as text with '/' separators.
std::string inside(const std::string& path, const std::string& file, const std::string& field) {
  const auto normal = std::filesystem::path(path).lexically_normal();
  const bool escapes = path.empty() || normal.is_absolute() || normal.begin()->string() == "..";
  if (escapes) throw FormatError("unusable path", {file, field, "a path inside the package", path});
  return normal.generic_string();
}

std::map<std::string, LatentSpec> read_spaces(const JsonObject& spaces) {
  std::map<std::string, LatentSpec> result;
  for (const std::string& name : spaces.keys()) {
    const JsonObject entry = spaces.object(name);
    entry.allow_only({"channels", "factor", "scaling_factor", "shift_factor"});
    LatentSpec spec;
    spec.space = name;
    spec.channels = entry.integer("channels", 1);
    spec.factor = entry.integer("factor", 1);
    spec.scaling_factor = entry.number("scaling_factor");
    spec.shift_factor = entry.has("shift_factor") ? entry.number("shift_factor") : 0;
    result[name] = spec;
  }
  return result;
}

/// The space's numbers go into the network's config, where every family looks for them.
std::map<std::string, PackagedNetwork> read_networks(const JsonObject& networks,
                                                     const std::map<std::string, LatentSpec>& spaces,
                                                     const std::string& file) {
  std::map<std::string, PackagedNetwork> result;
  for (const std::string& name : networks.keys()) {
    const JsonObject entry = networks.object(name);
    entry.allow_only({"file", "family", "space", "latent_kind", "output_range", "config"});
    PackagedNetwork network;
    network.file = inside(entry.text("file"), file, entry.path("file"));
    network.family = entry.text("family");
    network.space = entry.text("space");
    const auto space = spaces.find(network.space);
    if (space == spaces.end())
      throw FormatError("unknown latent space", {file, entry.path("space"), "one of latent_spaces", network.space});
    if (entry.has("config")) {
      const JsonObject config = entry.object("config");
      for (const std::string& key : config.keys()) network.config[key] = config.text(key);
    }
    network.config["space"] = network.space;
    network.config["scaling_factor"] = nlohmann::json(space->second.scaling_factor).dump();
    network.config["shift_factor"] = nlohmann::json(space->second.shift_factor).dump();
    for (const char* key : {"latent_kind", "output_range"})
      if (entry.has(key)) network.config[key] = entry.text(key);
    result[name] = network;
  }
  return result;
}

}  // namespace

/// The pieces of model.json that ModelPackage::open() puts together.
struct ModelPackage::Reading {
  static ModelKind kind_of(const std::string& text, const std::string& file) {
    for (const ModelKind kind : {ModelKind::text_to_image, ModelKind::image_to_video})
      if (text == to_string(kind)) return kind;
    throw UnsupportedError("another kind of model", {file, "kind", "text-to-image or image-to-video", text});
  }

  static Parts::Reader text_reader(const JsonObject& parts, const std::string& number, const std::string& file) {
    const JsonObject tokenizer = parts.object("tokenizer" + number);
    if (tokenizer.text("type") != "clip_bpe")
      throw UnsupportedError("another tokenizer", {file, tokenizer.path("type"), "clip_bpe", tokenizer.text("type")});
    const JsonObject encoder = parts.object("text_encoder" + number);
    return {inside(tokenizer.text("folder"), file, tokenizer.path("folder")), tokenizer.integer("max_length", 2),
            inside(encoder.text("file"), file, encoder.path("file")), encoder.texts("outputs")};
  }

  static void text_parts(const JsonObject& from, Parts& to, const std::string& file) {
    from.allow_only({"tokenizer", "text_encoder", "tokenizer_2", "text_encoder_2", "denoiser", "schedulers", "decoders",
                     "encoders"});
    to.text = text_reader(from, "", file);
    if (from.has("tokenizer_2") || from.has("text_encoder_2")) to.text_2 = text_reader(from, "_2", file);
    const JsonObject denoiser = from.object("denoiser");
    const std::string empty = denoiser.text("empty_negative_prompt", "encoded");
    if (empty != "encoded" && empty != "zeros")
      throw FormatError("unknown value", {file, denoiser.path("empty_negative_prompt"), "encoded or zeros", empty});
    to.zero_empty_negative = empty == "zeros";
  }

  static void picture_parts(const JsonObject& from, Parts& to, const std::string& file) {
    from.allow_only({"image_encoder", "denoiser", "schedulers", "decoders", "encoders"});
    if (!from.has("image_encoder")) return;
    const JsonObject encoder = from.object("image_encoder");
    to.image_encoder = inside(encoder.text("file"), file, encoder.path("file"));
    to.image_encoder_size = encoder.integer("size", 1);
    if (const auto outputs = encoder.texts("outputs"); outputs != std::vector<std::string>{"encoder_hidden_states"})
      throw FormatError("unusable outputs", {file, encoder.path("outputs"), "encoder_hidden_states",
                                             outputs.empty() ? "nothing" : outputs.front() + ", …"});
  }

  static void sampling_parts(const JsonObject& from, Parts& to, const std::string& file) {
    const JsonObject denoiser = from.object("denoiser");
    to.denoiser = inside(denoiser.text("file"), file, denoiser.path("file"));
    to.denoiser_inputs = denoiser.texts("inputs");
    to.denoiser_space = denoiser.text("space");
    to.size_multiple = denoiser.has("size_multiple") ? denoiser.integer("size_multiple", 1) : 1;
    const JsonObject schedulers = from.object("schedulers");
    for (const std::string& name : schedulers.keys()) {
      const JsonObject entry = schedulers.object(name);
      to.schedulers[name] = inside(entry.text("file"), file, entry.path("file"));
    }
  }

  static TextToImageOptions defaults(const JsonObject& from) {
    from.allow_only({"width", "height", "steps", "cfg_scale", "sampling_method", "decoder", "encoder", "strength"});
    TextToImageOptions to;
    to.width = from.integer("width", 1);
    to.height = from.integer("height", 1);
    to.steps = from.integer("steps", 1);
    to.cfg_scale = from.number("cfg_scale");
    to.sampling_method = from.text("sampling_method");
    if (from.has("strength")) to.strength = from.number("strength");
    return to;
  }

  static VideoDefaults video_defaults(const JsonObject& from) {
    from.allow_only({"width", "height", "video_frames", "fps", "motion_bucket", "noise_aug", "steps", "min_cfg",
                     "max_cfg", "decode_chunk", "sampling_method", "decoder", "encoder"});
    VideoDefaults to;
    to.width = from.integer("width", 1);
    to.height = from.integer("height", 1);
    to.options.frames = from.integer("video_frames", 1);
    to.options.fps = from.integer("fps", 1);
    to.options.motion_bucket = from.integer("motion_bucket", 0);
    to.options.noise_aug = from.number("noise_aug");
    to.options.steps = from.integer("steps", 1);
    to.options.min_cfg = from.number("min_cfg");
    to.options.max_cfg = from.number("max_cfg");
    if (from.has("decode_chunk")) to.options.decode_chunk = from.integer("decode_chunk", 0);
    to.options.sampling_method = from.text("sampling_method");
    return to;
  }
};

const char* to_string(ModelKind kind) {
  return kind == ModelKind::text_to_image ? "text-to-image" : "image-to-video";
}

ModelPackage ModelPackage::open(const std::filesystem::path& folder) {
  if (!std::filesystem::is_directory(folder))
    throw FileError("no model package", {folder.string(), "", "a folder with model.json", "no such folder"});
  const std::string file = (folder / "model.json").string();
  const nlohmann::json json = read_json(file);
  const JsonObject root(json, file, "");
  if (root.text("format") != "lightswitch.model")
    throw FormatError("another format", {file, "format", "lightswitch.model", root.text("format")});
  if (root.integer("version", 0) != 1)
    throw FormatError("another version of the package format",
                      {file, "version", "1", std::to_string(root.integer("version", 0))});
  root.allow_only(
      {"format", "version", "name", "kind", "licence", "trained_on", "latent_spaces", "parts", "defaults", "files"});

  ModelPackage package;
  package.folder_ = folder;
  package.name_ = root.text("name");
  package.licence_ = root.text("licence");
  package.kind_ = Reading::kind_of(root.text("kind"), file);
  const bool makes_clips = package.kind_ == ModelKind::image_to_video;
  package.spaces_ = read_spaces(root.object("latent_spaces"));

  const JsonObject all_parts = root.object("parts");
  auto parts = std::make_shared<Parts>();
  if (makes_clips)
    Reading::picture_parts(all_parts, *parts, file);
  else
    Reading::text_parts(all_parts, *parts, file);
  Reading::sampling_parts(all_parts, *parts, file);
  package.decoders_ = read_networks(all_parts.object("decoders"), package.spaces_, file);
  if (all_parts.has("encoders")) package.encoders_ = read_networks(all_parts.object("encoders"), package.spaces_, file);

  const JsonObject files = root.object("files");
  for (const std::string& path : files.keys()) {
    const JsonObject entry = files.object(path);
    const FileRecord record{entry.integer("bytes", 0), entry.text("sha256")};
    const auto absolute = folder / inside(path, file, files.path(path));
    std::error_code code;
    const auto size = std::filesystem::file_size(absolute, code);
    if (code)
      throw FileError("a listed part is missing",
                      {absolute.string(), "", std::to_string(record.bytes) + " bytes", code.message()});
    if (static_cast<int64_t>(size) != record.bytes)
      throw IntegrityError("another size than the package records",
                           {absolute.string(), "bytes", std::to_string(record.bytes), std::to_string(size)});
    package.files_[path] = record;
  }

  const JsonObject defaults = root.object("defaults");
  if (makes_clips)
    package.video_defaults_ = Reading::video_defaults(defaults);
  else
    package.defaults_ = Reading::defaults(defaults);
  package.default_decoder_ = defaults.text("decoder");
  package.default_encoder_ = defaults.text("encoder", "");
  package.parts_ = std::move(parts);

  const auto require = [&](const auto& table, const std::string& name, const char* field, const char* where) {
    if (!name.empty() && !table.contains(name))
      throw FormatError("a name without an entry", {file, field, where, name});
  };
  require(package.spaces_, package.parts_->denoiser_space, "parts.denoiser.space", "one of latent_spaces");
  require(package.decoders_, package.default_decoder_, "defaults.decoder", "one of parts.decoders");
  require(package.encoders_, package.default_encoder_, "defaults.encoder", "one of parts.encoders");
  require(package.parts_->schedulers, defaults.text("sampling_method"), "defaults.sampling_method",
          "one of parts.schedulers");
  return package;
}

std::vector<std::string> ModelPackage::sampling_methods() const {
  std::vector<std::string> names;
  for (const auto& [name, path] : parts_->schedulers) names.push_back(name);
  return names;
}

std::filesystem::path ModelPackage::verified(const std::filesystem::path& relative) const {
  const std::string key = relative.lexically_normal().generic_string();
  const auto record = files_.find(key);
  if (record == files_.end())
    throw IntegrityError("a part without a recorded hash",
                         {(folder_ / "model.json").string(), "files." + key, "bytes and sha256", "nothing"});
  const auto absolute = folder_ / relative;
  const std::string found = sha256_file(absolute);
  if (found != record->second.sha256)
    throw IntegrityError("the content differs from what the package records",
                         {absolute.string(), "sha256", record->second.sha256, found});
  return absolute;
}

void ModelPackage::verify() const {
  for (const auto& [path, record] : files_) verified(path);
}

void ModelPackage::require_kind(ModelKind kind) const {
  if (kind_ != kind)
    throw UnsupportedError("another kind of model",
                           {(folder_ / "model.json").string(), "kind", to_string(kind), to_string(kind_)});
}

const TextToImageOptions& ModelPackage::defaults() const {
  require_kind(ModelKind::text_to_image);
  return defaults_;
}

const VideoDefaults& ModelPackage::video_defaults() const {
  require_kind(ModelKind::image_to_video);
  return video_defaults_;
}

TextToImageParts ModelPackage::load_parts(DType denoiser) const {
  require_kind(ModelKind::text_to_image);
  const auto load_tokenizer = [this](const Parts::Reader& reader) {
    for (const auto& [path, record] : files_)
      if (path.starts_with(reader.tokenizer_folder + "/")) verified(path);
    return load_clip_tokenizer(folder_ / reader.tokenizer_folder, reader.tokenizer_length);
  };
  const auto load_encoder = [this](const Parts::Reader& reader) {
    return load_text_encoder(verified(reader.encoder), reader.outputs);
  };
  TextToImageParts parts;
  parts.tokenizer = load_tokenizer(*parts_->text);
  parts.text_encoder = load_encoder(*parts_->text);
  if (parts_->text_2) {
    parts.tokenizer_2 = load_tokenizer(*parts_->text_2);
    parts.text_encoder_2 = load_encoder(*parts_->text_2);
  }
  parts.zero_empty_negative = parts_->zero_empty_negative;
  parts.denoiser = load_denoiser(verified(parts_->denoiser), parts_->denoiser_inputs, parts_->size_multiple, denoiser);
  for (const auto& [name, path] : parts_->schedulers) parts.schedulers[name] = load_scheduler(verified(path));
  parts.latent_space = parts_->denoiser_space;
  return parts;
}

ImageToVideoParts ModelPackage::load_video_parts(DType denoiser) const {
  require_kind(ModelKind::image_to_video);
  ImageToVideoParts parts;
  if (!parts_->image_encoder.empty())
    parts.image_encoder = load_image_encoder(verified(parts_->image_encoder), parts_->image_encoder_size);
  parts.denoiser = load_denoiser(verified(parts_->denoiser), parts_->denoiser_inputs, parts_->size_multiple, denoiser);
  for (const auto& [name, path] : parts_->schedulers) parts.schedulers[name] = load_scheduler(verified(path));
  parts.latent_space = parts_->denoiser_space;
  return parts;
}

TextToImage ModelPackage::load_text_to_image(const DecoderRegistry& registry, const std::string& decoder) const {
  const NetworkContext context{.registry = registry, .package = this};
  TextToImageParts parts = load_parts();
  parts.decoder = open_decoder(NetworkSpec::parse(decoder.empty() ? default_decoder_ : decoder), context);
  if (!default_encoder_.empty()) parts.encoder = open_encoder(NetworkSpec::parse(default_encoder_), context);
  return TextToImage(std::move(parts));
}

}  // namespace lightswitch
