#include "cli/encode_clip.hpp"

#include <ATen/ATen.h>
#include <lightswitch/decode.hpp>
#include <lightswitch/error.hpp>
#include <lightswitch/media/video_io.hpp>

#include <algorithm>

#include "cli/picture_input.hpp"
#include "core/stopwatch.hpp"

namespace lightswitch::cli {
namespace {

constexpr int64_t frames_at_once = 8;

/// The file's own word, or a look at every frame where it has none.
int64_t frame_count(const std::filesystem::path& file, const VideoInfo& info, Session& session) {
  if (info.frames) return *info.frames;
  int64_t count = 0;
  const auto reader = open_video(file);
  for (int64_t more = -1; more != 0; count += more) {
    session.check_stop();
    more = reader->read(frames_at_once).size(0);
  }
  return count;
}

/// A video file on its way through an encoder.
class Clip {
 public:
  Clip(const std::filesystem::path& input, const Encoder& encoder, LatentKind kind, Session& session)
      : input_(input), encoder_(encoder), kind_(kind), session_(session), reader_(open_video(input)) {
    facts_ = latents_of({}, encoder.spec());
    facts_.kind = kind;
    facts_.width = reader_->info().width;
    facts_.height = reader_->info().height;
    facts_.fps = reader_->info().fps;
    frames_ = frame_count(input, reader_->info(), session);
    if (frames_ < 1) throw FormatError("the clip has no frames", {input.string(), "frames", "1 or more", "0"});
  }

  /// All but the latents.
  const LatentFile& facts() const { return facts_; }
  /// Of the latents: [C, T, h, w].
  std::vector<int64_t> shape() const {
    const LatentSpec& spec = encoder_.spec();
    const auto edge = [&](int64_t pixels) { return (pixels + spec.factor - 1) / spec.factor; };
    return {spec.channels, frames_, edge(*facts_.height), edge(*facts_.width)};
  }

  /// @param take gets [C, 1, h, w] of each frame.
  template <typename Take>
  void encode_frames(Timings& timings, Take take) {
    for (int64_t done = 0; done < frames_;) {
      const at::Tensor read = reader_->read(std::min(frames_at_once, frames_ - done));
      if (read.size(0) == 0)
        throw FormatError("the clip ends early",
                          {input_.string(), "frames", std::to_string(frames_), std::to_string(done)});
      for (const at::Tensor& frame : read.unbind()) {
        session_.check_stop();
        const Stopwatch watch;
        take(encode(encoder_, pad_to(frame, encoder_.spec().factor), kind_, session_.stop()).transpose(0, 1));
        timings.add("encode", watch.ms());
        session_.progress().update("encode", ++done, frames_);
      }
    }
  }

 private:
  const std::filesystem::path& input_;
  const Encoder& encoder_;
  LatentKind kind_;
  Session& session_;
  std::unique_ptr<VideoReader> reader_;
  LatentFile facts_;
  int64_t frames_ = 0;
};

}  // namespace

void encode_clip(const std::filesystem::path& input, const Encoder& encoder, LatentKind kind,
                 const std::filesystem::path& output, Session& session, Timings& timings) {
  if (kind == LatentKind::indices)
    throw UnsupportedError("the latents of clips are continuous",
                           {input.string(), "--kind", "raw or diffusion", "indices"});
  Clip clip(input, encoder, kind, session);
  LatentClipWriter writer(output, clip.facts(), clip.shape());
  clip.encode_frames(timings, [&](const at::Tensor& latents) { writer.write(latents); });
  writer.finish();
}

LatentFile encoded_clip(const std::filesystem::path& input, const Encoder& encoder, Session& session) {
  Clip clip(input, encoder, LatentKind::diffusion, session);
  std::vector<at::Tensor> latents;
  Timings timings;
  clip.encode_frames(timings, [&](const at::Tensor& next) { latents.push_back(next); });
  LatentFile content = clip.facts();
  content.latents = at::cat(latents, 1).unsqueeze(0);
  return content;
}

}  // namespace lightswitch::cli
