#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace lightswitch {

/// One picture or sound of a batch: a line of a manifest, which is JSON Lines. One of `prompt`, `latents` and `audio`
/// is there; what is absent takes the batch's setting. Of what is optional, latents take the decoder alone, and sounds
/// what is theirs.
struct BatchItem {
  int64_t line = 0;  ///< in the manifest, from 1
  /// Becomes the file's name: letters, digits, _ and -, at most 90 of them. No dots: in a tar of WebDataset a
  /// name ends at the first.
  std::string id;
  std::optional<std::string> prompt;
  std::filesystem::path latents;  ///< a latent file of one picture; relative names start at the manifest's folder
  std::optional<std::string> negative_prompt, decoder;
  std::optional<int64_t> seed, steps, width, height;
  std::optional<double> cfg_scale;
  /// A sound to make a stream of (.lsc), or a stream (.lsc, .lyra) to make a sound of; relative as `latents`.
  std::filesystem::path audio;
  std::optional<int64_t> bitrate;     ///< see SoundOptions
  std::optional<std::string> route;   ///< see SoundOptions
  std::optional<double> heavy_share;  ///< see SoundOptions

  bool is_picture() const { return audio.empty(); }
};

/// Reads one line. Strict: no unknown key, no key twice, no value of another type.
/// @param origin named in errors, with the line. @throws FormatError naming the key.
BatchItem parse_batch_item(std::string_view text, int64_t line, const std::filesystem::path& origin);

/// Part `index` of `count` of a manifest: the lines whose number, from 0, leaves `index` modulo `count`.
struct Shard {
  int64_t index = 0, count = 1;

  /// "2/8". @throws OptionError.
  static Shard parse(const std::string& text);
  /// @param line from 1. Blank lines count too.
  bool has(int64_t line) const { return (line - 1) % count == index; }
  /// "2-of-8", as in the names of files.
  std::string name() const { return std::to_string(index) + "-of-" + std::to_string(count); }
};

}  // namespace lightswitch
