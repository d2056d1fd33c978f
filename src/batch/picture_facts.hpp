#pragma once

#include <lightswitch/batch/results.hpp>
#include <lightswitch/batch/settings.hpp>
#include <lightswitch/decoder.hpp>
#include <lightswitch/media/image_io.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace lightswitch {

/// Where a picture of a batch comes from: options of a prompt, or what a latent file says.
struct PictureFacts {
  std::optional<TextToImageOptions> options = {};
  std::string prompt = {}, model = {};
  std::optional<int64_t> seed = {};
};

struct PictureText {
  ImageText in_png;
  std::string json;  ///< on one line
};

/// What made a picture. No times and no memory: the same item gives the same bytes.
PictureText describe_picture(const PictureFacts& facts, const ItemResult& result, const BatchSettings& settings,
                             const std::string& decoder, const NetworkInfo& info);

}  // namespace lightswitch
