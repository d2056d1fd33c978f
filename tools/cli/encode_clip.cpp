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

}  // namespace

void encode_clip(const std::filesystem::path& input, const Encoder& encoder, LatentKind kind,
                 const std::filesystem::path& output, Session& session, Timings& timings) {
  if (kind == LatentKind::indices)
    throw UnsupportedError("the latents of clips are continuous",
                           {input.string(), "--kind", "raw or diffusion", "indices"});
  const auto reader = open_video(input);
  const LatentSpec& spec = encoder.spec();
  LatentFile facts = latents_of({}, spec);
  facts.kind = kind;
  facts.width = reader->info().width;
  facts.height = reader->info().height;
  facts.fps = reader->info().fps;
  const int64_t frames = frame_count(input, reader->info(), session);
  const auto latent_edge = [&](int64_t pixels) { return (pixels + spec.factor - 1) / spec.factor; };
  LatentClipWriter writer(output, facts,
                          {spec.channels, frames, latent_edge(*facts.height), latent_edge(*facts.width)});
  for (int64_t done = 0; done < frames;) {
    const at::Tensor read = reader->read(std::min(frames_at_once, frames - done));
    if (read.size(0) == 0)
      throw FormatError("the clip ends early",
                        {input.string(), "frames", std::to_string(frames), std::to_string(done)});
    for (const at::Tensor& frame : read.unbind()) {
      session.check_stop();
      const Stopwatch watch;
      writer.write(encode(encoder, pad_to(frame, spec.factor), kind, session.stop()).transpose(0, 1));
      timings.add("encode", watch.ms());
      session.progress().update("encode", ++done, frames);
    }
  }
  writer.finish();
}

}  // namespace lightswitch::cli
