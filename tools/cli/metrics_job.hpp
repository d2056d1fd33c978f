#pragma once

#include <lightswitch/frechet.hpp>
#include <lightswitch/metrics.hpp>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "cli/metric_inputs.hpp"
#include "cli/score_table.hpp"
#include "cli/session.hpp"

namespace lightswitch::cli {

/// The command line of `metrics`.
struct MetricsArguments {
  std::string first, second;
  std::vector<std::string> metrics;  ///< empty: all that apply
  std::string ssim_window = "gaussian";
  std::string lpips, features;
  bool sets = false;
  int64_t clip_frames = 16;
  bool frame_features = false;
  std::string save_statistics;
};

/// What is measured between two pictures or two clips, and with what.
struct PictureJudges {
  std::set<std::string> metrics;  ///< of psnr, ssim, ms-ssim, lpips, flicker
  SsimWindow window = SsimWindow::gaussian;
  const PictureDistance* lpips = nullptr;
};

/// @throws as the metrics and readers, naming the file.
Scores picture_scores(const MatchedFiles& files, const PictureJudges& judges);
/// Means over the frames; memory holds two frames of each. @throws TensorError also for clips of different length.
Scores clip_scores(const MatchedFiles& files, const PictureJudges& judges, const Session& session);
/// At 16 kHz, channels averaged. @param metrics of si-snr, log-mel, stoi, segmental-snr.
Scores sound_scores(const MatchedFiles& files, const std::set<std::string>& metrics);

/// How clips become features.
struct FeatureOptions {
  int64_t clip_frames = 16;     ///< each run of so many frames is a sample; what is left over is not looked at
  bool frame_features = false;  ///< the network takes pictures
};

/// The features of all files of an input: one sample a picture, or each run of frames; or what was saved, merged.
/// @param network may be null for saved statistics.
FeatureStatistics gather_statistics(const MetricInput& input, const FeatureNetwork* network, const std::string& source,
                                    const FeatureOptions& options, Session& session);

}  // namespace lightswitch::cli
