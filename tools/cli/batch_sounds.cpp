#include "cli/batch_sounds.hpp"

#include <lightswitch/batch/codec_sounds.hpp>
#include <lightswitch/error.hpp>

#include "cli/codec_model_lookup.hpp"

namespace lightswitch::cli {

SoundSettings sound_settings(const BatchArguments& arguments) {
  const auto needs = [&](bool given, const char* option, const char* other) {
    if (given) throw UsageError("has no meaning here", {"", option, other, "nothing of the kind"});
  };
  if (arguments.codec.empty()) {
    needs(arguments.bitrate != 0, "--bitrate", "--codec too");
    needs(!arguments.route.empty(), "--route", "--codec too");
    needs(arguments.heavy_share.has_value(), "--heavy-share", "--codec too");
  }
  SoundSettings settings;
  settings.options.bitrate = arguments.bitrate;
  settings.options.route = arguments.heavy_share ? "gate" : settings.options.route;
  if (!arguments.route.empty()) settings.options.route = arguments.route;
  needs(arguments.heavy_share && settings.options.route != "gate", "--heavy-share", "--route gate");
  settings.options.heavy_share = arguments.heavy_share.value_or(settings.options.heavy_share);
  settings.extension = "." + arguments.sound_format;
  try {
    settings.validate();
  } catch (const OptionError& error) {
    throw UsageError(error.what());
  }
  return settings;
}

std::unique_ptr<const SoundMaker> open_sounds(const BatchArguments& arguments, SoundSettings& settings) {
  if (arguments.codec.empty()) return nullptr;
  const auto model = open_codec_model(arguments.codec);
  settings.model = model->identity();
  return std::make_unique<CodecSounds>(model);
}

}  // namespace lightswitch::cli
