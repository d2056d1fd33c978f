#pragma once

#include <lightswitch/batch/manifest.hpp>
#include <lightswitch/batch/sounds.hpp>
#include <lightswitch/text_to_image.hpp>

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace lightswitch {

class ModelPackage;

/// What all items of a batch have in common, as far as it determines what is made of them.
struct BatchSettings {
  std::string version;                ///< of lightswitch
  std::string model;                  ///< the package's name; empty without one
  std::string model_sha256;           ///< of its model.json, which holds the hash of every part
  std::vector<std::string> packaged;  ///< its decoders: in a SPEC they win over files that are called so
  TextToImageOptions options;         ///< what prompts leave out; prompt, batch_count and init_image are not used
  std::string decoder;                ///< SPEC; empty where the batch makes sounds alone
  DType dtype = DType::fp32;          ///< of decoders, resolved for the machine that runs the batch: never `automatic`
  DType denoiser_dtype = DType::fp32;
  bool strict_dtype = false;       ///< an item whose decode overflows fails instead of being decoded in fp32
  std::string extension = ".png";  ///< one of image_extensions()
  int quality = 95;                ///< JPEG and WebP
  bool metadata = true;            ///< PNG: what made the picture, as text inside
  SoundSettings sound = {};

  /// @throws OptionError.
  void validate() const;
};

/// The package's own defaults, with fp32 for what has to be resolved; null: for latents alone, with no decoder.
/// @throws FileError.
BatchSettings batch_defaults(const ModelPackage* package);
/// `automatic` as it is on this machine's CPU. @throws UnsupportedError for fp16.
DType resolved_for_cpu(DType asked);

/// The options of one prompt. @throws OptionError.
TextToImageOptions options_of(const BatchItem& item, const BatchSettings& settings);

/// A hash of everything that determines what is made of an item: version, model, decoder and its weights, options, and
/// the bytes of latents or sound.
class BatchDigest {
 public:
  explicit BatchDigest(BatchSettings settings) : settings_(std::move(settings)) {}
  /// 64 hex digits. Reads the latents or the sound, and the files of a SPEC the first time. @throws FileError,
  /// OptionError.
  std::string of(const BatchItem& item);

 private:
  std::string of_picture(const BatchItem& item);

  BatchSettings settings_;
  std::map<std::string, std::string> weights_;  ///< by SPEC
};

/// The settings that a batch leaves in its folder as settings.json, for verify and for shards elsewhere.
/// @throws FileError, FormatError.
BatchSettings read_batch_settings(const std::filesystem::path& file);
/// Whether a file holds these settings. @throws FileError, FormatError.
bool same_settings(const std::filesystem::path& file, const BatchSettings& settings);
/// Temporary name, then rename. @throws FileError.
void write_batch_settings(const std::filesystem::path& file, const BatchSettings& settings);

}  // namespace lightswitch
