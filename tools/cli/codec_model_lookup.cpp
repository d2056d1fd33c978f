#include "cli/codec_model_lookup.hpp"

#include <lightswitch/error.hpp>

#include <algorithm>
#include <cmath>
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
  const double stage = model.bits_per_second(1) * static_cast<double>(channels);
  const int64_t most = model.quantizer().stages();
  if (bitrate == 0) return most;
  const double stages = static_cast<double>(bitrate) / stage;
  const int64_t nearest = std::clamp<int64_t>(std::llround(stages), 1, most);
  if (std::abs(stages - static_cast<double>(nearest)) > 1e-9)
    throw UsageError("rate that the model does not have",
                     {"", "--bitrate",
                      "a multiple of " + std::to_string(std::llround(stage)) + " up to " +
                          std::to_string(std::llround(stage * static_cast<double>(most))) + ", such as " +
                          std::to_string(std::llround(stage * static_cast<double>(nearest))),
                      std::to_string(bitrate)});
  return nearest;
}

}  // namespace lightswitch::cli
