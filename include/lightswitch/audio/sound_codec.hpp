#pragma once

#include <lightswitch/audio/bitstream.hpp>
#include <lightswitch/audio/codec.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

/// Whole files through the codec, in pieces of a second: memory does not grow with their length, but for 4 bytes a
/// frame where routes are planned, and the codes of a sound that is encoded with route hints. Pipes go in pieces of a
/// tenth of a second. Target lightswitch::audio_files.
namespace lightswitch::audio {

/// What both directions tell and heed while they run.
struct SoundCodecCallbacks {
  std::function<void(int64_t done, int64_t total)> progress = {};  ///< samples; total is 0 where it is not known
  std::stop_token stop = {};                                       ///< then Cancelled is thrown, and nothing is written
};

/// What a file cost. Times are of the codec alone, without files and rates.
struct SoundCodecReport {
  StreamInfo info;
  int64_t frames = 0;                      ///< of each channel
  int64_t clipped = 0;                     ///< samples beyond -1 … 1, held to it
  int64_t lost_frames = 0;                 ///< concealed, over all channels
  std::vector<double> real_time = {};      ///< seconds of sound over seconds of work, of each piece
  RoutingStats routing;                    ///< of decoding, over all channels
  std::optional<double> heavy_share = {};  ///< of frames, warm-ups included, that a route was planned within
  std::vector<Path> paths = {};            ///< each frame's, of the first channel; DecodeSoundOptions::keep_paths
  std::vector<std::string> damage = {};    ///< what was found wrong, in words
};

struct EncodeSoundOptions {
  int64_t stages = 16;  ///< of the quantizer
  /// Where set, both decoders are tried on every frame, and the stream says which of them a player should take: heavy
  /// where that gains most within this share of all frames, warm-ups included.
  std::optional<double> hinted_share = {};
};

/// Sound to .lsc, or to .lyra (one channel, 16, 30 or 46 stages of Lyra's own weights). Any rate, up to 64 channels,
/// each coded for itself.
/// @param input, output "-" is standard input and output.
/// @throws OptionError, FileError, FormatError, UnsupportedError for hints of a model without a light decoder,
/// Cancelled.
SoundCodecReport encode_sound(const std::filesystem::path& input, const std::filesystem::path& output,
                              std::shared_ptr<const CodecModel> model, const EncodeSoundOptions& options,
                              const SoundCodecCallbacks& callbacks = {});

/// Packets that get lost in bursts (Gilbert): a pure function of these numbers.
struct PacketLoss {
  double rate = 0;   ///< of all frames, 0 … below 1
  double burst = 1;  ///< mean length, 1 and more
  uint64_t seed = 0;
};

struct DecodeSoundOptions {
  enum class Route {
    heavy,  ///< every frame
    light,  ///< every frame
    gate,  ///< the gate's scores, within heavy_share or budget; planned over the whole sound, or, where that is a pipe,
           ///< frame by frame
    hints,  ///< as the stream advises
  };
  Route route = Route::heavy;
  double heavy_share = 0.2;  ///< of all frames, warm-ups included; of Route::gate
  /// Multiply-adds a second of sound, over all channels: light decoder, gate, heavy frames, warm-ups and fades. Becomes
  /// a share in place of heavy_share.
  std::optional<double> budget = {};
  std::optional<int64_t> warm_up_frames = {};  ///< SwitchingDecoder::Options
  int64_t sample_rate = 0;                     ///< of what is written; 0: that of the sound that was encoded
  PacketLoss loss = {};
  bool allow_truncated = false;  ///< what is missing at the end is left away instead of refused
  int64_t lyra_stages = 0;       ///< of a .lyra file, which does not say
  bool keep_paths = false;       ///< the report tells each frame's: a byte for each
};

/// "heavy", "light", "gate" or "hints". @throws OptionError.
DecodeSoundOptions::Route parse_route(const std::string& word);

/// .lsc or .lyra to wav or flac; exactly as many samples as were encoded. Damaged blocks are concealed and told.
/// @param input, output "-" is standard input (.lsc) and output (AU), block by block as they come.
/// @throws IntegrityError when the stream was made with another model, FormatError for a file that breaks off,
/// UnsupportedError for a route that model or stream do not have, OptionError (a budget below the light path's too),
/// FileError, Cancelled.
SoundCodecReport decode_sound(const std::filesystem::path& input, const std::filesystem::path& output,
                              std::shared_ptr<const CodecModel> model, const DecodeSoundOptions& options,
                              const SoundCodecCallbacks& callbacks = {});

}  // namespace lightswitch::audio
