#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/generation_options.hpp"
#include "cli/session.hpp"

namespace lightswitch::cli {

/// `lightswitch batch`, as given.
struct BatchArguments : GenerationArguments {
  std::string manifest;
  bool from_stdin = false;
  std::string shard = "0/1";
  bool resume = false;
  int64_t micro_batch = 4, queue = 8, encode_threads = 2, tar_items = 0;
  std::string format = "png";
  int64_t quality = 95;
  std::string output;
  std::string codec;    ///< empty: no sounds
  int64_t bitrate = 0;  ///< 0: all that the model has
  std::string route;    ///< empty: heavy, or the gate where a share is given
  std::optional<double> heavy_share;
  std::string sound_format = "wav";
};

/// Makes the pictures of a manifest. @throws EndedWith where items failed or none can succeed; UsageError; as the
/// library.
void make_batch(const BatchArguments& arguments, Session& session);

}  // namespace lightswitch::cli
