#include <lightswitch/batch/manifest.hpp>
#include <lightswitch/batch/sounds.hpp>
#include <lightswitch/error.hpp>

#include <algorithm>
#include <array>
#include <string_view>

#include "batch/sound_facts.hpp"
#include "core/sha256.hpp"

namespace lightswitch {
namespace {

constexpr std::array<std::string_view, 4> kRoutes{"heavy", "light", "gate", "hints"};

}  // namespace

void SoundOptions::validate() const {
  if (bitrate < 0) throw OptionError("impossible rate", {"", "bitrate", "1 and more", std::to_string(bitrate)});
  if (std::ranges::find(kRoutes, route) == kRoutes.end())
    throw OptionError("unknown value", {"", "route", "heavy, light, gate or hints", route});
  if (!(heavy_share >= 0 && heavy_share <= 1))
    throw OptionError("impossible share", {"", "heavy_share", "0 … 1", std::to_string(heavy_share)});
}

void SoundSettings::validate() const {
  options.validate();
  if (extension != ".wav" && extension != ".flac")
    throw OptionError("sound is not written in this format", {"", "extension", ".wav or .flac", extension});
}

bool is_sound_stream(const std::filesystem::path& file) {
  return file.extension() == ".lsc" || file.extension() == ".lyra";
}

SoundOptions options_of_sound(const BatchItem& item, const SoundSettings& settings) {
  if (settings.model.empty())
    throw OptionError("sounds need a codec", {item.audio.string(), "codec", "a model of the codec", "none"});
  const auto refuse = [&](const char* what, const char* key, const char* expected, const std::string& found) {
    throw OptionError(what, {item.audio.string(), key, expected, found});
  };
  const bool stream = is_sound_stream(item.audio);
  if (!stream && (item.route || item.heavy_share))
    refuse("only streams are decoded", item.route ? "route" : "heavy_share", ".lsc or .lyra", "a sound");
  if (item.bitrate && item.audio.extension() == ".lsc")
    refuse("the stream says its rate", "bitrate", "no such key", std::to_string(*item.bitrate));
  SoundOptions options = settings.options;
  options.bitrate = item.bitrate.value_or(options.bitrate);
  if (item.heavy_share) {
    options.route = "gate";
    options.heavy_share = *item.heavy_share;
  }
  options.route = item.route.value_or(options.route);
  if (item.heavy_share && options.route != "gate") refuse("the share is the gate's", "route", "gate", options.route);
  options.validate();
  return options;
}

std::string extension_of_sound(const BatchItem& item, const SoundSettings& settings) {
  return is_sound_stream(item.audio) ? settings.extension : ".lsc";
}

nlohmann::ordered_json sound_facts(const BatchItem& item, const SoundSettings& settings) {
  const SoundOptions options = options_of_sound(item, settings);
  nlohmann::ordered_json facts{{"codec", settings.model},
                               {"audio_sha256", sha256_file(item.audio)},
                               {"extension", extension_of_sound(item, settings)}};
  if (item.audio.extension() != ".lsc") facts["bitrate"] = options.bitrate;
  if (!is_sound_stream(item.audio)) return facts;
  facts["route"] = options.route;
  if (options.route == "gate") facts["heavy_share"] = options.heavy_share;
  return facts;
}

std::string describe_sound(const BatchItem& item, const ItemResult& result, const BatchSettings& settings) {
  nlohmann::ordered_json json{{"version", settings.version},
                              {"command", "batch"},
                              {"id", result.id},
                              {"digest", result.digest},
                              {"dtype", result.dtype}};
  json.update(sound_facts(item, settings.sound));
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace lightswitch
