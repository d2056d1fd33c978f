#include <lightswitch/audio/lyra.hpp>
#include <lightswitch/audio/sound_codec.hpp>
#include <lightswitch/audio/sound_file.hpp>
#include <lightswitch/batch/codec_sounds.hpp>

namespace lightswitch {

std::vector<std::string> CodecSounds::make(const std::filesystem::path& file, const SoundOptions& options,
                                           const std::filesystem::path& target) const {
  if (!is_sound_stream(file)) {
    const int64_t channels = audio::SoundReader(file).format().channels;
    return audio::encode_sound(file, target, model_, {.stages = model_->stages_for(options.bitrate, channels)}).damage;
  }
  audio::DecodeSoundOptions decoding;
  decoding.route = audio::parse_route(options.route);
  decoding.heavy_share = options.heavy_share;
  if (file.extension() == ".lyra") decoding.lyra_stages = audio::lyra_stages(options.bitrate);
  return audio::decode_sound(file, target, model_, decoding).damage;
}

}  // namespace lightswitch
