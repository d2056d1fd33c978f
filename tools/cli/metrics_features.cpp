#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/media/image_io.hpp>
#include <lightswitch/media/video_io.hpp>

#include "cli/metrics_job.hpp"

namespace lightswitch::cli {
namespace {

/// Rows go into the statistics many at a time: each time costs a pass over D² numbers.
class RowBlock {
 public:
  explicit RowBlock(FeatureStatistics& statistics) : statistics_(statistics) {}
  void add(const at::Tensor& row) {
    rows_.push_back(row);
    if (rows_.size() == kRows) flush();
  }
  void flush() {
    if (!rows_.empty()) statistics_.add(at::cat(rows_));
    rows_.clear();
  }

 private:
  static constexpr size_t kRows = 64;
  FeatureStatistics& statistics_;
  std::vector<at::Tensor> rows_;
};

void add_clip(const std::filesystem::path& file, const FeatureNetwork& network, const FeatureOptions& options,
              RowBlock& block, const Session& session) {
  const auto how = options.frame_features ? ClipFeatures::mean_of_frames : ClipFeatures::of_clip;
  const auto clip = open_video(file);
  for (bool any = false;; any = true) {
    session.check_stop();
    const at::Tensor frames = clip->read(options.clip_frames);
    if (frames.size(0) == options.clip_frames) {
      block.add(clip_features(network, frames, how));
    } else if (any) {
      return;
    } else {
      throw TensorError("the clip is shorter than a sample",
                        {file.string(), "frames", std::to_string(options.clip_frames) + " or more (--clip-frames)",
                         std::to_string(frames.size(0))});
    }
  }
}

}  // namespace

FeatureStatistics gather_statistics(const MetricInput& input, const FeatureNetwork* network, const std::string& source,
                                    const FeatureOptions& options, Session& session) {
  FeatureStatistics statistics(input.kind == MetricKind::statistics ? "" : source);
  RowBlock block(statistics);
  int64_t done = 0;
  for (const auto& file : input.files) {
    session.check_stop();
    if (input.kind == MetricKind::statistics)
      statistics.merge(FeatureStatistics::load(file));
    else if (input.kind == MetricKind::clips)
      add_clip(file, *network, options, block, session);
    else
      block.add(network->features(read_image(file)));
    session.progress().update("features of " + input.path.filename().string(), ++done,
                              static_cast<int64_t>(input.files.size()));
  }
  block.flush();
  return statistics;
}

}  // namespace lightswitch::cli
