#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/media/image_io.hpp>
#include <lightswitch/media/video_io.hpp>

#include "cli/metrics_job.hpp"

namespace lightswitch::cli {
namespace {

/// The metrics do not know which files the numbers are from.
template <typename Work>
auto naming(const std::filesystem::path& file, const Work& work) {
  try {
    return work();
  } catch (const TensorError& error) {
    throw TensorError(error.what(), {file.string(), "", "", ""});
  } catch (const NumericError& error) {
    throw NumericError(error.what(), {file.string(), "", "", ""});
  }
}

/// Sums of the chosen figures over frames.
class FrameScores {
 public:
  explicit FrameScores(const PictureJudges& judges) : judges_(judges) {}

  void next(const at::Tensor& frame, const at::Tensor& reference) {
    at_ = 0;
    const auto put = [&](const char* name, const auto& measure) {
      if (!judges_.metrics.contains(name)) return;
      if (at_ == sums_.size()) sums_.emplace_back(name, 0);
      sums_[at_++].second += measure();
    };
    put("psnr", [&] { return psnr(frame, reference); });
    put("ssim", [&] { return ssim(frame, reference, judges_.window); });
    put("ms-ssim", [&] { return ms_ssim(frame, reference); });
    put("lpips", [&] { return (*judges_.lpips)(frame, reference); });
    if (frames_++ > 0 && judges_.metrics.contains("flicker"))
      flicker_ += flicker(at::stack({before_, frame}), at::stack({reference_before_, reference}));
    before_ = frame;
    reference_before_ = reference;
  }

  Scores means() const {
    Scores means = sums_;
    for (auto& [name, value] : means) value /= static_cast<double>(frames_);
    if (judges_.metrics.contains("flicker")) {
      if (frames_ < 2) throw TensorError("one frame does not change", {"", "clip", "2 frames or more", "1"});
      means.emplace_back("flicker", flicker_ / static_cast<double>(frames_ - 1));
    }
    return means;
  }

 private:
  const PictureJudges& judges_;
  Scores sums_;
  size_t at_ = 0;
  int64_t frames_ = 0;
  double flicker_ = 0;
  at::Tensor before_, reference_before_;
};

}  // namespace

Scores picture_scores(const MatchedFiles& files, const PictureJudges& judges) {
  const at::Tensor picture = read_image(files.first), reference = read_image(files.second);
  return naming(files.first, [&] {
    FrameScores scores(judges);
    scores.next(picture, reference);
    return scores.means();
  });
}

Scores clip_scores(const MatchedFiles& files, const PictureJudges& judges, const Session& session) {
  const auto clip = open_video(files.first), original = open_video(files.second);
  return naming(files.first, [&] {
    FrameScores scores(judges);
    for (int64_t frames = 0;; ++frames) {
      session.check_stop();
      const at::Tensor frame = clip->read(1), reference = original->read(1);
      const bool ended = frame.size(0) == 0, reference_ended = reference.size(0) == 0;
      if (ended && reference_ended) return scores.means();
      if (ended || reference_ended)
        throw TensorError("clips of different length cannot be compared",
                          {"", "frames", ended ? "more than " + std::to_string(frames) : std::to_string(frames),
                           ended ? std::to_string(frames) : "more than " + std::to_string(frames)});
      scores.next(frame[0], reference[0]);
    }
  });
}

}  // namespace lightswitch::cli
