#include <lightswitch/audio/lyra.hpp>
#include <lightswitch/audio/sound_codec.hpp>
#include <lightswitch/audio/sound_file.hpp>
#include <lightswitch/error.hpp>

#include <algorithm>
#include <random>

#include "core/stopwatch.hpp"

namespace lightswitch::audio {
namespace {

using Route = DecodeSoundOptions::Route;

/// The score of a frame that is lost anyway.
constexpr GateScore kNothingToGain = -(1 << 30);

/// Where codes come from, block by block: a container, or bare packets.
class CodeSource {
 public:
  CodeSource(const std::filesystem::path& file, const CodecModel& model, int64_t lyra_stages) {
    if (file.extension() != ".lyra") {
      reader_.emplace(file);
      info = reader_->info();
      return;
    }
    packets_ = read_lyra_packets(file, lyra_stages);
    info.model = model.identity();
    info.sample_rate = info.source_rate = model.sample_rate();
    info.stages = lyra_stages;
    info.bits = 4;
    info.hop = model.hop();
    info.samples = info.source_samples = static_cast<int64_t>(packets_.indices.size()) / lyra_stages * info.hop;
  }

  StreamInfo info;

  int64_t frames() const {
    return reader_ ? reader_->frames() : static_cast<int64_t>(packets_.indices.size()) / info.stages;
  }
  int64_t blocks() const { return (frames() + info.block_frames - 1) / info.block_frames; }
  int64_t missing_samples() const { return reader_ ? reader_->missing_samples() : 0; }
  int64_t left_over() const { return packets_.left_over; }

  StreamBlock read(int64_t block) const {
    if (reader_) return reader_->read(block);
    StreamBlock made;
    const int64_t first = block * info.block_frames;
    made.frames = std::min(info.block_frames, frames() - first);
    const auto begin = packets_.indices.begin() + first * info.stages;
    made.indices.assign(begin, begin + made.frames * info.stages);
    return made;
  }

 private:
  std::optional<StreamReader> reader_;
  LyraPackets packets_;
};

class LossSimulation {
 public:
  explicit LossSimulation(const PacketLoss& loss) : random_(loss.seed) {
    if (!(loss.rate >= 0 && loss.rate < 1))
      throw OptionError("impossible loss", {"", "loss rate", "0 … below 1", std::to_string(loss.rate)});
    if (!(loss.burst >= 1))
      throw OptionError("impossible loss", {"", "burst", "1 and more", std::to_string(loss.burst)});
    leave_ = 1 / loss.burst;
    enter_ = loss.rate * leave_ / (1 - loss.rate);
    if (enter_ > 1)
      throw OptionError(
          "bursts too short for that many losses",
          {"", "burst", std::to_string(loss.rate / (1 - loss.rate)) + " and more", std::to_string(loss.burst)});
  }

  bool next() {
    // The highest 53 bits as a fraction: distributions of the standard library differ.
    const double drawn = static_cast<double>(random_() >> 11) * 0x1p-53;
    lost_ = lost_ ? drawn >= leave_ : drawn < enter_;
    return lost_;
  }

 private:
  std::mt19937_64 random_;
  double enter_ = 0, leave_ = 1;
  bool lost_ = false;
};

/// The indices of one channel in a block.
std::vector<int32_t> channel_of(const StreamBlock& block, const StreamInfo& info, int64_t channel) {
  std::vector<int32_t> indices(block.frames * info.stages);
  for (int64_t frame = 0; frame < block.frames; ++frame)
    std::copy_n(block.indices.begin() + (frame * info.channels + channel) * info.stages, info.stages,
                indices.begin() + frame * info.stages);
  return indices;
}

void check(const std::filesystem::path& file, const CodeSource& source, const CodecModel& model,
           const DecodeSoundOptions& options) {
  const StreamInfo& info = source.info;
  if (info.model != model.identity())
    throw IntegrityError("stream was made with another model", {file.string(), "model", model.identity(), info.model});
  if (info.stages > model.quantizer().stages() || info.bits != model.quantizer().bits() || info.hop != model.hop() ||
      info.sample_rate != model.sample_rate())
    throw FormatError(
        "stream does not fit its model",
        {file.string(), "stages, bits, hop, rate",
         std::to_string(model.quantizer().stages()) + " at most, " + std::to_string(model.quantizer().bits()) + ", " +
             std::to_string(model.hop()) + ", " + std::to_string(model.sample_rate()),
         std::to_string(info.stages) + ", " + std::to_string(info.bits) + ", " + std::to_string(info.hop) + ", " +
             std::to_string(info.sample_rate)});
  if (source.missing_samples() > 0 && !options.allow_truncated)
    throw FormatError("breaks off",
                      {file.string(), "samples", std::to_string(*info.samples),
                       std::to_string(source.frames() * info.hop) + " (what is there can be decoded if asked)"});
  if (options.route == Route::hints && !info.hints)
    throw UnsupportedError("stream has no route hints", {file.string(), "route", "heavy, light or gate", "hints"});
  if (options.route != Route::heavy && !model.light())
    throw UnsupportedError("the model has no light decoder", {file.string(), "route", "heavy", "another"});
  if (options.route == Route::gate && !model.gate())
    throw UnsupportedError("the model has no gate", {file.string(), "route", "heavy, light or hints", "gate"});
}

/// The path of every frame of a channel within the budget, warm-ups included.
RoutePlan plan_channel(const CodeSource& source, const std::shared_ptr<const CodecModel>& model, int64_t channel,
                       const DecodeSoundOptions& options) {
  StreamDecoder gate(model);
  std::vector<GateScore> scores;
  for (int64_t number = 0; number < source.blocks(); ++number) {
    const StreamBlock block = source.read(number);
    if (block.damage.empty()) {
      const auto found = gate.scores(channel_of(block, source.info, channel), source.info.stages);
      scores.insert(scores.end(), found.begin(), found.end());
    } else {
      scores.insert(scores.end(), block.frames, kNothingToGain);
    }
  }
  const SwitchingDecoder decoder(*model->light(), model->heavy(), {.warm_up_frames = options.warm_up_frames});
  return plan_within(scores, {.heavy_share = options.heavy_share, .warm_up = decoder.switch_cost()});
}

/// One channel on its way back.
struct Channel {
  Channel(const std::shared_ptr<const CodecModel>& model, const DecodeSoundOptions& options, int64_t from, int64_t to)
      : decoder(model, {.warm_up_frames = options.warm_up_frames}), resampler(from, to) {}
  StreamDecoder decoder;
  Resampler resampler;
  RoutePlan plan;
  std::vector<float> ready;
};

/// Who decodes each frame of a block of one channel.
std::vector<Path> paths_of(const Channel& channel, const StreamBlock& block, const StreamInfo& info, int64_t number,
                           int64_t first_frame, Route route) {
  std::vector<Path> paths(block.frames, route == Route::heavy ? Path::heavy : Path::light);
  for (int64_t frame = 0; frame < block.frames; ++frame) {
    if (route == Route::gate) paths[frame] = channel.plan[first_frame + frame];
    if (route == Route::hints && block.damage.empty()) paths[frame] = block.hints[frame * info.channels + number];
  }
  return paths;
}

/// A block of one channel, frames that are lost concealed. @return its samples.
std::vector<float> decode_block(Channel& channel, const StreamBlock& block, const StreamInfo& info, int64_t number,
                                const std::vector<bool>& lost, std::span<const Path> paths) {
  std::vector<float> samples;
  const auto take = [&](std::span<const float> made) { samples.insert(samples.end(), made.begin(), made.end()); };
  if (!block.damage.empty()) {
    take(channel.decoder.conceal(block.frames));
    return samples;
  }
  const auto indices = channel_of(block, info, number);
  for (int64_t from = 0; from < block.frames;) {
    int64_t to = from + 1;
    while (to < block.frames && lost[to] == lost[from]) ++to;
    if (lost[from])
      take(channel.decoder.conceal(to - from));
    else
      take(channel.decoder.decode(std::span(indices).subspan(from * info.stages, (to - from) * info.stages),
                                  info.stages, paths.subspan(from, to - from)));
    from = to;
  }
  return samples;
}

}  // namespace

SoundCodecReport decode_sound(const std::filesystem::path& input, const std::filesystem::path& output,
                              std::shared_ptr<const CodecModel> model, const DecodeSoundOptions& options,
                              const SoundCodecCallbacks& callbacks) {
  const CodeSource source(input, *model, options.lyra_stages);
  check(input, source, *model, options);
  SoundCodecReport report;
  report.info = source.info;
  const StreamInfo& info = source.info;
  LossSimulation losses(options.loss);
  const int64_t rate = options.sample_rate > 0 ? options.sample_rate : info.source_rate;
  std::vector<Channel> channels;
  for (int64_t c = 0; c < info.channels; ++c) {
    channels.emplace_back(model, options, info.sample_rate, rate);
    if (options.route == Route::gate) channels.back().plan = plan_channel(source, model, c, options);
  }
  SoundWriter writer(output, {rate, info.channels});

  // Exactly what was encoded, where the stream says how much that was.
  const int64_t available = source.frames() * info.hop;
  const int64_t samples = std::min(info.samples.value_or(available), available);
  const bool whole = samples == info.samples && info.source_samples && rate == info.source_rate;
  int64_t left = samples, written = 0, first_frame = 0;
  std::vector<float> interleaved;
  for (int64_t number = 0; number < source.blocks(); ++number) {
    if (callbacks.stop.stop_requested()) throw Cancelled();
    const StreamBlock block = source.read(number);
    if (!block.damage.empty()) report.damage.push_back("block " + std::to_string(number) + ": " + block.damage);
    std::vector<bool> lost(block.frames);
    for (int64_t frame = 0; frame < block.frames; ++frame) lost[frame] = losses.next();
    const int64_t kept = std::min(left, block.frames * info.hop);
    const bool last = number + 1 == source.blocks();
    double work_ms = 0;
    for (int64_t c = 0; c < info.channels; ++c) {
      const Stopwatch watch;
      const auto paths = paths_of(channels[c], block, info, c, first_frame, options.route);
      const auto made = decode_block(channels[c], block, info, c, lost, paths);
      work_ms += watch.ms();
      if (c == 0 && options.keep_paths) report.paths.insert(report.paths.end(), paths.begin(), paths.end());
      channels[c].resampler.push(std::span(made).first(kept), last, channels[c].ready);
    }
    left -= kept;
    auto ready = static_cast<int64_t>(channels[0].ready.size());
    if (whole && last) {
      // Rates there and back may round to a sample more or less.
      ready = std::max<int64_t>(0, *info.source_samples - written);
      for (Channel& channel : channels) channel.ready.resize(ready);
    }
    interleaved.resize(ready * info.channels);
    for (int64_t c = 0; c < info.channels; ++c) {
      for (int64_t i = 0; i < ready; ++i) interleaved[i * info.channels + c] = channels[c].ready[i];
      channels[c].ready.clear();
    }
    writer.write(interleaved);
    written += ready;
    first_frame += block.frames;
    if (work_ms > 0)
      report.real_time.push_back(1000.0 * static_cast<double>(block.frames * info.hop) /
                                 static_cast<double>(info.sample_rate) / work_ms);
    if (callbacks.progress) callbacks.progress(samples - left, samples);
  }
  writer.finish();
  report.frames = source.frames();
  report.clipped = writer.clipped();
  for (const Channel& channel : channels) {
    report.lost_frames += channel.decoder.concealed();
    report.routing += channel.decoder.stats();
  }
  if (source.missing_samples() > 0)
    report.damage.push_back("breaks off: " + std::to_string(source.missing_samples()) + " samples are missing");
  if (source.left_over() > 0)
    report.damage.push_back(std::to_string(source.left_over()) + " bytes behind the last packet were left");
  return report;
}

}  // namespace lightswitch::audio
