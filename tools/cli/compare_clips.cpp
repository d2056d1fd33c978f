#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/media/video_io.hpp>
#include <lightswitch/temporal_decoder.hpp>
#include <lightswitch/torchscript.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/clip_comparison.hpp"
#include "cli/compare_job.hpp"
#include "cli/encode_clip.hpp"
#include "cli/network_lookup.hpp"
#include "cli/picture_input.hpp"
#include "cli/report.hpp"
#include "core/peak_memory.hpp"
#include "core/stopwatch.hpp"

namespace lightswitch::cli {
namespace {

constexpr int64_t kFilmstrip = 6;

/// The next frames of a reference, [T, 3, H, W].
using ReadFrames = std::function<at::Tensor(int64_t count)>;

/// Picks the frames of the filmstrip from a clip as it goes by.
class Picker {
 public:
  explicit Picker(const std::vector<int64_t>& wanted) : wanted_(wanted) {}
  void next(const at::Tensor& frame) {
    if (picked_.size() < wanted_.size() && wanted_[picked_.size()] == at_) picked_.push_back(frame.clone());
    ++at_;
  }
  at::Tensor frames() const { return at::stack(picked_); }

 private:
  const std::vector<int64_t>& wanted_;
  int64_t at_ = 0;
  std::vector<at::Tensor> picked_;
};

class CompareClips {
 public:
  CompareClips(const CompareArguments& arguments, Session& session)
      : arguments_(arguments), session_(session), networks_(session, arguments.model) {}

  void run() {
    if (!arguments_.lpips.empty()) judge_ = load_picture_distance(arguments_.lpips);
    load_latents();
    comparison_.input = arguments_.input;
    comparison_.repeat = arguments_.repeat.value_or(1);
    comparison_.reference = has_original_ ? "original" : arguments_.decoders.front();
    kept_.resize(static_cast<size_t>(file_.latents.size(0)));
    comparison_.clips.resize(kept_.size());
    for (size_t i = 0; i < kept_.size(); ++i)
      comparison_.clips[i].name =
          has_original_ ? std::filesystem::path(arguments_.input).filename().string() : "clip " + std::to_string(i);
    for (const std::string& spec : arguments_.decoders) decode_all(spec);
    write_report(comparison_, arguments_.shown, arguments_.output);
    note_report(arguments_.output, session_);
    write_json(to_json(comparison_), session_);
  }

 private:
  void load_latents() {
    has_original_ = !is_latent_name(arguments_.input);
    if (has_original_) {
      std::string spec = arguments_.encoder;
      file_ = encoded_clip(arguments_.input, *networks_.encoder(spec), session_);
      return;
    }
    file_ = read_latents(arguments_.input, {}, {}, true);
    if (file_.latents.dim() == 4) file_.latents = file_.latents.transpose(0, 1).unsqueeze(0);
  }

  std::shared_ptr<const TemporalDecoder> open(std::string& spec, ClipWay& way) {
    way.knows_time = networks_.decodes_clips(spec);
    auto decoder = way.knows_time ? networks_.temporal_decoder(spec) : frame_by_frame(networks_.decoder(spec));
    require_same_space(file_, arguments_.input, decoder->spec());
    const int64_t latents = file_.latents.size(2);
    way.depends_on_chunks = decoder->depends_on_chunks();
    const int64_t asked = arguments_.chunk.value_or(way.depends_on_chunks ? 0 : 1);
    way.chunk = asked == 0 ? latents : std::min(asked, latents);
    return decoder;
  }

  void decode_all(const std::string& text) {
    std::string spec = text;
    ClipWay way;
    const auto decoder = open(spec, way);
    ComparedDecoder result;
    result.spec = spec;
    result.info = decoder->info();
    const int64_t count = file_.latents.size(0);
    for (int64_t i = 0; i < count; ++i) {
      const ClipScores scores = score(*decoder, i, way);
      result.psnr += scores.psnr;
      result.ssim += scores.ssim;
      if (scores.lpips) result.lpips = result.lpips.value_or(0) + *scores.lpips;
      if (scores.flicker) result.flicker = result.flicker.value_or(0) + *scores.flicker;
      measure(*decoder, i, way, result);
      session_.progress().update(spec, i + 1, count);
    }
    const auto clips = static_cast<double>(count);
    for (double* sum : {&result.ms, &result.psnr, &result.ssim}) *sum /= clips;
    for (std::optional<double>* sum : {&result.lpips, &result.flicker})
      if (*sum) **sum /= clips;
    comparison_.decoders.push_back(std::move(result));
    comparison_.ways.push_back(way);
  }

  void decode(const TemporalDecoder& decoder, int64_t clip, const ClipWay& way, const FrameSink& sink) const {
    decode_clip(decoder, file_.latents[clip], {.kind = file_.kind, .chunk = way.chunk, .stop = session_.stop()}, sink);
  }

  /// Frames against the reference; without one they become it. Weights are packed for this size on the way.
  ClipScores score(const TemporalDecoder& decoder, int64_t index, const ClipWay& way) {
    ComparedClip& clip = comparison_.clips[static_cast<size_t>(index)];
    std::vector<at::Tensor>& kept = kept_[static_cast<size_t>(index)];
    const int64_t frames = decoder.frames(file_.latents.size(2));
    const bool first = clip.decoded.empty();
    if (first) {
      clip.frames = frames;
      clip.shown = evenly_spaced(frames, kFilmstrip);
    }
    if (frames != clip.frames)
      throw UnsupportedError("decoders that make different numbers of frames of a latent cannot be compared",
                             {arguments_.input, "frames", std::to_string(clip.frames), std::to_string(frames)});
    const ReadFrames reference = has_original_ ? original() : kept_frames(kept);
    ClipJudge judge(judge_.get());
    Picker decoded(clip.shown), original(clip.shown);
    decode(decoder, index, way, [&](const at::Tensor& padded) {
      const at::Tensor ready = without_padding(padded, file_);
      if (first && !has_original_)
        for (const at::Tensor& frame : ready.unbind()) kept.push_back(frame);
      const at::Tensor expected = reference(ready.size(0));
      for (int64_t i = 0; i < ready.size(0); ++i) {
        judge.next(ready[i], expected[i]);
        decoded.next(ready[i]);
        original.next(expected[i]);
      }
    });
    if (first) clip.reference = original.frames();
    clip.decoded.push_back({decoded.frames(), judge.scores()});
    return clip.decoded.back().scores;
  }

  /// Time, peak and multiply-adds go to `result`.
  void measure(const TemporalDecoder& decoder, int64_t index, const ClipWay& way, ComparedDecoder& result) const {
    const auto nothing = [](const at::Tensor&) {};
    if (!result.peak_bytes) {
      const PeakMemory memory;
      decode(decoder, index, way, nothing);
      result.peak_bytes = memory.bytes();
    }
    double fastest = 0;
    for (int64_t i = 0; i < comparison_.repeat; ++i) {
      const Stopwatch watch;
      decode(decoder, index, way, nothing);
      fastest = i == 0 ? watch.ms() : std::min(fastest, watch.ms());
    }
    const at::Tensor& latents = file_.latents;
    const int64_t count = latents.size(2), rest = count % way.chunk;
    const auto macs = [&](int64_t pushed) { return decoder.macs(pushed, latents.size(3), latents.size(4)); };
    const auto frames = static_cast<double>(decoder.frames(count));
    result.ms += fastest / frames;
    result.gmac = static_cast<double>(count / way.chunk * macs(way.chunk) + (rest ? macs(rest) : 0)) / frames / 1e9;
  }

  /// The original from its first frame on.
  ReadFrames original() const {
    const std::shared_ptr<VideoReader> reader = open_video(arguments_.input);
    return [this, reader](int64_t count) {
      const at::Tensor frames = reader->read(count);
      if (frames.size(0) != count)
        throw UnsupportedError("the decoder makes another number of frames than were encoded",
                               {arguments_.input, "frames", std::to_string(frames.size(0)), std::to_string(count)});
      return frames;
    };
  }

  /// Those of `kept` one after the other; it grows meanwhile.
  static ReadFrames kept_frames(const std::vector<at::Tensor>& kept) {
    return [&kept, next = size_t{0}](int64_t count) mutable {
      const at::TensorList all(kept);
      const at::Tensor frames = at::stack(all.slice(next, static_cast<size_t>(count)));
      next += static_cast<size_t>(count);
      return frames;
    };
  }

  const CompareArguments& arguments_;
  Session& session_;
  NetworkLookup networks_;
  std::shared_ptr<const PictureDistance> judge_;
  LatentFile file_;
  bool has_original_ = false;
  std::vector<std::vector<at::Tensor>> kept_;  ///< frames of each clip by the first decoder, without an original
  ClipComparison comparison_;
};

}  // namespace

void compare_clips(const CompareArguments& arguments, Session& session) {
  CompareClips(arguments, session).run();
}

}  // namespace lightswitch::cli
