#pragma once

#include <lightswitch/audio/codec_model.hpp>
#include <lightswitch/batch/sounds.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace lightswitch {

/// The codec as the maker of a batch's sounds. Target lightswitch::batch_sounds.
class CodecSounds final : public SoundMaker {
 public:
  explicit CodecSounds(std::shared_ptr<const audio::CodecModel> model) : model_(std::move(model)) {}
  /// @throws as audio::encode_sound() and audio::decode_sound(); OptionError for a rate that the model does not have.
  std::vector<std::string> make(const std::filesystem::path& file, const SoundOptions& options,
                                const std::filesystem::path& target) const override;

 private:
  std::shared_ptr<const audio::CodecModel> model_;
};

}  // namespace lightswitch
