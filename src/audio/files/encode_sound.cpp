#include <lightswitch/audio/lyra.hpp>
#include <lightswitch/audio/sound_codec.hpp>
#include <lightswitch/audio/sound_file.hpp>
#include <lightswitch/error.hpp>

#include <algorithm>

#include "audio/heard_gain.hpp"
#include "core/stopwatch.hpp"

namespace lightswitch::audio {
namespace {

/// Pieces that a pipe is read in, and blocks that one is written in: how long it takes through.
constexpr int64_t kLivePieces = 10, kLiveBlockFrames = 5;

/// Where codes go: a container, or bare packets.
class CodeSink {
 public:
  CodeSink(const std::filesystem::path& file, const StreamInfo& info, const CodecModel& model)
      : file_(file), info_(info) {
    if (file.extension() == ".lyra") {
      if (info.hints)
        throw OptionError("Lyra's packets hold no route hints", {file.string(), "route hints", "none", "some"});
      if (info.channels != 1)
        throw OptionError("Lyra's packets hold one channel",
                          {file.string(), "channels", "1", std::to_string(info.channels)});
      if (info.bits != 4 || info.hop != 320 || model.sample_rate() != 16000)
        throw OptionError("only Lyra's own weights make Lyra's packets",
                          {file.string(), "model", "4 bits a stage", std::to_string(info.bits)});
      if (info.stages != 16 && info.stages != 30 && info.stages != 46)
        throw OptionError("Lyra has no such packets",
                          {file.string(), "stages", "16, 30 or 46", std::to_string(info.stages)});
    } else {
      writer_ = std::make_unique<StreamWriter>(file, info);
    }
  }

  void write(std::span<const int32_t> indices, std::span<const Path> hints = {}) {
    if (writer_)
      writer_->write(indices, hints);
    else
      packets_.insert(packets_.end(), indices.begin(), indices.end());
  }

  void finish(int64_t samples, int64_t source_samples) {
    if (writer_)
      writer_->finish(samples, source_samples);
    else
      write_lyra_packets(file_, packets_, info_.stages);
  }

 private:
  std::filesystem::path file_;
  StreamInfo info_;
  std::unique_ptr<StreamWriter> writer_;
  std::vector<int32_t> packets_;
};

/// One channel on its way: samples at the model's rate that wait for a whole frame.
struct Channel {
  Channel(const std::shared_ptr<const CodecModel>& model, int64_t stages, int64_t rate)
      : encoder(model, stages), resampler(rate, model->sample_rate()) {}
  StreamEncoder encoder;
  Resampler resampler;
  std::vector<float> waiting;
  std::optional<HeardGain> gain;  ///< where hints are asked for
};

/// A path for each frame of each channel, within the share: [frame][channel].
std::vector<Path> planned_hints(std::vector<Channel>& channels, const CodecModel& model, double share) {
  const SwitchingDecoder decoder(*model.light(), model.heavy());
  std::vector<Path> hints;
  for (size_t c = 0; c < channels.size(); ++c) {
    const auto plan = plan_within(channels[c].gain->finish(), {.heavy_share = share, .warm_up = decoder.switch_cost()});
    hints.resize(plan.size() * channels.size());
    for (size_t frame = 0; frame < plan.size(); ++frame) hints[frame * channels.size() + c] = plan[frame];
  }
  return hints;
}

}  // namespace

SoundCodecReport encode_sound(const std::filesystem::path& input, const std::filesystem::path& output,
                              std::shared_ptr<const CodecModel> model, const EncodeSoundOptions& options,
                              const SoundCodecCallbacks& callbacks) {
  const int64_t stages = options.stages;
  SoundReader reader(input);
  SoundCodecReport report;
  StreamInfo& info = report.info;
  info.model = model->identity();
  info.sample_rate = model->sample_rate();
  info.source_rate = reader.format().sample_rate;
  info.channels = reader.format().channels;
  info.stages = stages;
  info.bits = model->quantizer().bits();
  info.hop = model->hop();
  info.hints = options.hinted_share.has_value();
  if (output == "-") info.block_frames = kLiveBlockFrames;
  report.heavy_share = options.hinted_share;
  std::vector<Channel> channels;
  for (int64_t c = 0; c < info.channels; ++c) {
    channels.emplace_back(model, stages, info.source_rate);
    if (info.hints) channels.back().gain.emplace(model);
  }
  CodeSink sink(output, info, *model);

  const int64_t piece = input == "-" ? std::max<int64_t>(1, info.source_rate / kLivePieces) : info.source_rate;
  std::vector<float> interleaved(piece * info.channels), one(piece);
  std::vector<int32_t> codes, kept;
  int64_t taken = 0, samples = 0;
  for (bool last = false; !last;) {
    if (callbacks.stop.stop_requested()) throw Cancelled();
    const int64_t got = reader.read(interleaved);
    last = got == 0;
    taken += got;
    double work_ms = 0;
    int64_t frames = 0;
    for (int64_t c = 0; c < info.channels; ++c) {
      Channel& channel = channels[c];
      for (int64_t i = 0; i < got; ++i) {
        const float sample = interleaved[i * info.channels + c];
        report.clipped += sample > 1 || sample < -1;
        one[i] = std::clamp(sample, -1.0F, 1.0F);
      }
      const auto before = static_cast<int64_t>(channel.waiting.size());
      channel.resampler.push(std::span(one).first(got), last, channel.waiting);
      if (c == 0) samples += static_cast<int64_t>(channel.waiting.size()) - before;
      if (last) channel.waiting.resize((channel.waiting.size() + info.hop - 1) / info.hop * info.hop);
      frames = static_cast<int64_t>(channel.waiting.size()) / info.hop;
      codes.resize(frames * info.channels * stages);
      const Stopwatch watch;
      const auto indices = channel.encoder.encode(std::span(channel.waiting).first(frames * info.hop));
      work_ms += watch.ms();
      for (int64_t frame = 0; frame < frames; ++frame)
        std::copy_n(indices.begin() + frame * stages, stages, codes.begin() + (frame * info.channels + c) * stages);
      if (channel.gain) channel.gain->push(std::span(channel.waiting).first(frames * info.hop), indices, stages);
      channel.waiting.erase(channel.waiting.begin(), channel.waiting.begin() + frames * info.hop);
    }
    if (info.hints)
      kept.insert(kept.end(), codes.begin(), codes.end());
    else
      sink.write(codes);
    report.frames += frames;
    if (frames > 0 && work_ms > 0)
      report.real_time.push_back(1000.0 * static_cast<double>(frames * info.hop) /
                                 static_cast<double>(info.sample_rate) / work_ms);
    if (callbacks.progress) callbacks.progress(taken, std::max<int64_t>(reader.length(), 0));
  }
  if (info.hints) sink.write(kept, planned_hints(channels, *model, *options.hinted_share));
  sink.finish(samples, taken);
  info.samples = samples;
  info.source_samples = taken;
  return report;
}

}  // namespace lightswitch::audio
