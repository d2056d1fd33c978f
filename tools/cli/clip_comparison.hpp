#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/metrics.hpp>

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/comparison.hpp"
#include "contact_sheet/chart.hpp"

namespace lightswitch::cli {

/// How near a decoder's clip comes to the reference.
struct ClipScores {
  double psnr = 0, ssim = 0;             ///< mean over the frames
  std::optional<double> lpips;           ///< likewise
  std::optional<double> flicker;         ///< of clips of more than one frame
  std::vector<double> flicker_of_steps;  ///< from each frame to the next
};

/// Scores a clip as its frames come, so that no clip has to fit into memory.
class ClipJudge {
 public:
  /// @param lpips may be null, else outlives the judge.
  explicit ClipJudge(const PictureDistance* lpips) : lpips_(lpips) {}
  /// The next frame of both, [3, H, W]. @throws as the metrics.
  void next(const at::Tensor& frame, const at::Tensor& reference);
  /// After the last, of one or more.
  ClipScores scores() const;

 private:
  const PictureDistance* lpips_;
  int64_t frames_ = 0;
  at::Tensor before_, reference_before_;
  ClipScores sums_;
};

/// What one decoder made of one clip.
struct DecodedClip {
  at::Tensor shown;  ///< [S, 3, H, W]: the frames that the report shows
  ClipScores scores;
};

/// One clip of a comparison: what every decoder made of the same latents.
struct ComparedClip {
  std::string name;
  int64_t frames = 0;
  std::vector<int64_t> shown;        ///< which frames the report shows
  at::Tensor reference;              ///< [S, 3, H, W]: those of the original, or of the first decoder
  std::vector<DecodedClip> decoded;  ///< in the order of the decoders
};

/// How a decoder of a comparison took the clips.
struct ClipWay {
  bool knows_time = false;         ///< else every frame is decoded alone
  int64_t chunk = 0;               ///< latents at once
  bool depends_on_chunks = false;  ///< frames would be others with other chunks
};

struct ClipComparison {
  std::string input;
  std::string reference;  ///< what the scores measure against, in words
  int64_t repeat = 1;
  std::vector<ComparedDecoder> decoders;
  std::vector<ClipWay> ways;  ///< of each decoder
  std::vector<ComparedClip> clips;
};

/// At most `most` of the indices 0 … count - 1, evenly spaced, the first and the last among them.
std::vector<int64_t> evenly_spaced(int64_t count, int64_t most);

/// Flicker of every decoder over time, in levels.
contact_sheet::Chart flicker_chart(const ClipComparison& comparison, const ComparedClip& clip);

nlohmann::ordered_json to_json(const ClipComparison& comparison);

/// index.html, which needs no other file, and sheet.png in `folder`, which is made where it is missing. At most `shown`
/// clips are in them.
void write_report(const ClipComparison& comparison, int64_t shown, const std::filesystem::path& folder);

}  // namespace lightswitch::cli
