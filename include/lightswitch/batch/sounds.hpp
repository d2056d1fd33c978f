#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

/// Sounds among the items of a batch.
namespace lightswitch {

struct BatchItem;

/// How one sound is coded. Words and meanings are those of `lightswitch codec`.
struct SoundOptions {
  int64_t bitrate = 0;          ///< bits a second over all channels, of what is encoded and of .lyra; 0: all there are
  std::string route = "heavy";  ///< who decodes: heavy, light, gate or hints
  double heavy_share = 0.2;     ///< 0 … 1, for the gate

  /// @throws OptionError.
  void validate() const;
};

/// What the sounds of a batch have in common.
struct SoundSettings {
  std::string model;  ///< CodecModel::identity(); empty: the batch has no codec, and refuses sounds
  SoundOptions options;
  std::string extension = ".wav";  ///< of what is decoded: .wav or .flac

  /// @throws OptionError.
  void validate() const;
};

/// Makes streams of sounds and sounds of streams; codec_sounds.hpp has one.
class SoundMaker {
 public:
  virtual ~SoundMaker() = default;
  /// Any number of threads may call it at a time.
  /// @param file a sound, or a stream as is_sound_stream() says. @param target what is made of it.
  /// @return damage that was found in the file and concealed, in words. @throws Error.
  virtual std::vector<std::string> make(const std::filesystem::path& file, const SoundOptions& options,
                                        const std::filesystem::path& target) const = 0;
};

/// Whether a file is a stream, by its ending: .lsc or .lyra. Every other file is a sound.
bool is_sound_stream(const std::filesystem::path& file);

/// The options of one item of sound; a share of its own means the gate. @throws OptionError, also without a codec.
SoundOptions options_of_sound(const BatchItem& item, const SoundSettings& settings);

/// Of what is made of an item of sound: ".lsc", or settings.extension.
std::string extension_of_sound(const BatchItem& item, const SoundSettings& settings);

}  // namespace lightswitch
