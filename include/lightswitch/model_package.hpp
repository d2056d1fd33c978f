#pragma once

#include <lightswitch/decoder_registry.hpp>
#include <lightswitch/image_to_video.hpp>
#include <lightswitch/tensor_spec.hpp>
#include <lightswitch/text_to_image.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace lightswitch {

/// One decoder or encoder entry of a package.
struct PackagedNetwork {
  std::filesystem::path file;
  std::string family;
  std::string space;
  Config config;
};

/// What a package makes: pictures of a prompt, or clips of a picture.
enum class ModelKind { text_to_image, image_to_video };
const char* to_string(ModelKind kind);

/// What an image-to-video package recommends; the picture is left undefined.
struct VideoDefaults {
  int64_t width = 0, height = 0;  ///< pixels
  ImageToVideoOptions options;
};

/// A model package: a folder with model.json, the parts and a SHA-256 of every file.
///
/// {"format": "lightswitch.model", "version": 1, "name", "kind": "text-to-image" or "image-to-video", "licence",
///  "trained_on",
///  "latent_spaces": {NAME: {"channels", "factor", "scaling_factor", "shift_factor"}},
///  "parts": {"tokenizer": {"folder", "type": "clip_bpe", "max_length"},
///            "text_encoder": {"file", "outputs": […]},
///            "tokenizer_2", "text_encoder_2": likewise, both or none,
///            "denoiser": {"file", "inputs": […], "space", "size_multiple",
///                         "empty_negative_prompt": "encoded" or "zeros"},
///            "schedulers": {NAME: {"file"}},
///            "decoders": {NAME: {"file", "family", "space", "latent_kind", "output_range", "config": {…}}},
///            "encoders": {NAME: likewise}},
///  "defaults": {"width", "height", "steps", "cfg_scale", "sampling_method", "decoder", "encoder", "strength"},
///  "files": {PATH: {"bytes", "sha256"}}}
///
/// An image-to-video package has no tokenizer and no text encoder but "image_encoder": {"file", "outputs", "size"},
/// which may be left out, and "defaults": {"width", "height", "video_frames", "fps", "motion_bucket", "noise_aug",
/// "steps", "min_cfg", "max_cfg", "decode_chunk", "sampling_method", "decoder", "encoder"}.
class ModelPackage {
 public:
  /// Reads model.json and checks it: every part listed, inside the folder, with the recorded size. Hashes are checked
  /// when a part is loaded (file()).
  /// @throws FileError, FormatError (naming the key), IntegrityError.
  static ModelPackage open(const std::filesystem::path& folder);

  const std::filesystem::path& folder() const { return folder_; }
  const std::string& name() const { return name_; }
  const std::string& licence() const { return licence_; }
  ModelKind kind() const { return kind_; }
  const std::map<std::string, LatentSpec>& latent_spaces() const { return spaces_; }
  const std::map<std::string, PackagedNetwork>& decoders() const { return decoders_; }
  const std::map<std::string, PackagedNetwork>& encoders() const { return encoders_; }
  std::vector<std::string> sampling_methods() const;
  /// The options the package's author recommends; prompt and seed are left at their defaults.
  /// @throws UnsupportedError for a package of another kind.
  const TextToImageOptions& defaults() const;
  const VideoDefaults& video_defaults() const;
  const std::string& default_decoder() const { return default_decoder_; }
  const std::string& default_encoder() const { return default_encoder_; }

  /// Everything but the decoder and the encoder, loaded and hash-checked.
  /// @param denoiser arithmetic of the denoiser, see load_denoiser().
  /// @throws UnsupportedError for a package of another kind.
  TextToImageParts load_parts(DType denoiser = DType::fp32) const;
  ImageToVideoParts load_video_parts(DType denoiser = DType::fp32) const;
  /// The whole pipeline. @param decoder a SPEC (decoder_spec.hpp); empty: the package's default.
  TextToImage load_text_to_image(const DecoderRegistry& registry, const std::string& decoder = "") const;

  /// Path of a listed file once its bytes match the recorded SHA-256. @throws IntegrityError naming the part.
  std::filesystem::path verified(const std::filesystem::path& relative) const;
  /// Whether the package has a hash for this file.
  bool lists(const std::filesystem::path& relative) const { return files_.contains(relative.generic_string()); }
  /// verified() for every listed file.
  void verify() const;

 private:
  struct FileRecord {
    int64_t bytes = 0;
    std::string sha256;
  };
  std::filesystem::path folder_;
  std::string name_, licence_;
  std::map<std::string, LatentSpec> spaces_;
  std::map<std::string, PackagedNetwork> decoders_, encoders_;
  std::map<std::string, FileRecord> files_;
  ModelKind kind_ = ModelKind::text_to_image;
  TextToImageOptions defaults_;
  VideoDefaults video_defaults_;
  std::string default_decoder_, default_encoder_;
  struct Parts;
  struct Reading;
  std::shared_ptr<const Parts> parts_;

  void require_kind(ModelKind kind) const;
};

}  // namespace lightswitch
