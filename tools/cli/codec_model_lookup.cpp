#include "cli/codec_model_lookup.hpp"

#include <lightswitch/error.hpp>

#include <filesystem>

#include "cli/model_lookup.hpp"
#include "cli/session.hpp"

namespace lightswitch::cli {

using audio::CodecModel;

std::shared_ptr<const CodecModel> open_codec_model(const std::string& given) {
  if (!given.empty() && std::filesystem::exists(given))
    return std::make_shared<const CodecModel>(CodecModel::open(given));
  const std::string name = given.empty() ? "speech" : given;
  std::string looked;
  for (const auto& root : model_roots()) {
    if (std::filesystem::is_directory(root / name))
      return std::make_shared<const CodecModel>(CodecModel::open(root / name));
    looked += (looked.empty() ? "" : ", ") + (root / name).string();
  }
  throw FileError("no such model", {"", "--model", "a model of the codec, or the folder of Lyra's .tflite files",
                                    name + " (looked for " + looked + ")"});
}

int64_t stages_for(int64_t bitrate, const CodecModel& model, int64_t channels) {
  try {
    return model.stages_for(bitrate, channels);
  } catch (const OptionError& error) {
    throw UsageError(error.what());
  }
}

}  // namespace lightswitch::cli
