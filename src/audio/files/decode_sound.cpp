#include <lightswitch/audio/lyra.hpp>
#include <lightswitch/audio/sound_codec.hpp>
#include <lightswitch/audio/sound_file.hpp>
#include <lightswitch/error.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>

#include "core/stopwatch.hpp"

namespace lightswitch::audio {
namespace {

using Route = DecodeSoundOptions::Route;

/// The score of a frame that is lost anyway.
constexpr GateScore kNothingToGain = -(1 << 30);

/// Where codes come from, block by block: a container, bare packets, or a pipe, which goes by once.
class CodeSource {
 public:
  CodeSource(const std::filesystem::path& file, const CodecModel& model, int64_t lyra_stages) {
    if (file == "-") {
      pipe_.emplace(stdin, "standard input");
      info = pipe_->info();
      return;
    }
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

  bool is_pipe() const { return pipe_.has_value(); }
  /// Not of a pipe.
  int64_t frames() const {
    return reader_ ? reader_->frames() : static_cast<int64_t>(packets_.indices.size()) / info.stages;
  }
  /// Of a pipe at its end.
  int64_t missing_samples() const {
    return reader_ ? reader_->missing_samples() : pipe_ ? pipe_->missing_samples() : 0;
  }
  int64_t left_over() const { return packets_.left_over; }

  std::optional<StreamBlock> next() {
    if (pipe_) return pipe_->next();
    const int64_t first = next_ * info.block_frames;
    if (first >= frames()) return {};
    if (reader_) return reader_->read(next_++);
    ++next_;
    StreamBlock made;
    made.frames = std::min(info.block_frames, frames() - first);
    const auto begin = packets_.indices.begin() + first * info.stages;
    made.indices.assign(begin, begin + made.frames * info.stages);
    return made;
  }
  /// Begins again; not a pipe.
  void rewind() { next_ = 0; }

 private:
  std::optional<StreamReader> reader_;
  std::optional<StreamPipe> pipe_;
  LyraPackets packets_;
  int64_t next_ = 0;
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

/// Whether it breaks off.
void check_end(const std::filesystem::path& file, const CodeSource& source, const DecodeSoundOptions& options) {
  if (source.missing_samples() > 0 && !options.allow_truncated)
    throw FormatError("breaks off", {file.string(), "samples", std::to_string(*source.info.samples),
                                     std::to_string(*source.info.samples - source.missing_samples()) +
                                         " (what is there can be decoded if asked)"});
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
  if (!source.is_pipe()) check_end(file, source, options);
  if (options.route == Route::hints && !info.hints)
    throw UnsupportedError("stream has no route hints", {file.string(), "route", "heavy, light or gate", "hints"});
  if (options.route != Route::heavy && !model.light())
    throw UnsupportedError("the model has no light decoder", {file.string(), "route", "heavy", "another"});
  if (options.route == Route::gate && !model.gate())
    throw UnsupportedError("the model has no gate", {file.string(), "route", "heavy, light or hints", "gate"});
}

/// Heavy frames of so many, warm-ups included, that an option allows.
class HeavyBudget {
 public:
  HeavyBudget(const CodecModel& model, const DecodeSoundOptions& options, int64_t channels)
      : share_(options.heavy_share),
        switch_cost_(
            SwitchingDecoder(*model.light(), model.heavy(), {.warm_up_frames = options.warm_up_frames}).switch_cost()) {
    if (!options.budget) return;
    const double frames_per_second = static_cast<double>(model.sample_rate()) / static_cast<double>(model.hop());
    const double allowed = *options.budget / frames_per_second / static_cast<double>(channels);
    const auto heavy = static_cast<double>(model.heavy().macs_per_frame());
    const auto gate = static_cast<double>(model.gate()->macs_per_frame());
    const double light = gate + static_cast<double>(model.light()->macs_per_frame());
    if (!(allowed >= light))
      throw OptionError("no route keeps the budget",
                        {"", "budget",
                         "at least " + std::to_string(light * frames_per_second * static_cast<double>(channels)) +
                             " multiply-adds a second, which the light path takes",
                         std::to_string(*options.budget)});
    // Without a light frame the light decoder does not run.
    share_ = allowed >= heavy + gate ? 1 : std::min(1.0, (allowed - light) / heavy);
    // The frame in which a first heavy run fades out is no switch of a plan's.
    spare_ = 1;
  }

  double share() const { return share_; }
  double switch_cost() const { return switch_cost_; }
  /// As a share that is met exactly.
  double share_of(int64_t frames) const {
    if (spare_ == 0 || share_ == 1 || frames == 0) return share_;
    const double whole = std::floor(share_ * static_cast<double>(frames)) - spare_;
    return std::max(0.0, whole) / static_cast<double>(frames);
  }

 private:
  double share_, switch_cost_, spare_ = 0;
};

/// The path of every frame of a channel within the budget, warm-ups included.
RoutePlan plan_channel(CodeSource& source, const std::shared_ptr<const CodecModel>& model, int64_t channel,
                       const HeavyBudget& budget) {
  StreamDecoder gate(model);
  std::vector<GateScore> scores;
  source.rewind();
  while (const auto block = source.next()) {
    if (block->damage.empty()) {
      const auto found = gate.scores(channel_of(*block, source.info, channel), source.info.stages);
      scores.insert(scores.end(), found.begin(), found.end());
    } else {
      scores.insert(scores.end(), block->frames, kNothingToGain);
    }
  }
  source.rewind();
  return plan_within(scores, {.heavy_share = budget.share_of(source.frames()), .warm_up = budget.switch_cost()});
}

/// Who decodes a channel: one path, a plan, hints, or a router for frames that come one by one.
struct Direction {
  Route route;
  RoutePlan plan = {};
  std::optional<LiveRouter> router = {};

  bool is_all_heavy() const {
    return route == Route::heavy || (route == Route::gate && !router && plan.count(Path::light) == 0);
  }
};

/// One channel on its way back.
struct Channel {
  Channel(const std::shared_ptr<const CodecModel>& model, const DecodeSoundOptions& options, Direction how,
          int64_t from, int64_t to)
      : decoder(model, {.warm_up_frames = options.warm_up_frames},
                how.is_all_heavy() ? StreamDecoder::Decoders::heavy : StreamDecoder::Decoders::both),
        resampler(from, to),
        direction(std::move(how)) {}
  StreamDecoder decoder;
  Resampler resampler;
  Direction direction;
  std::vector<float> ready;
};

/// Who decodes each frame of a block of one channel.
std::vector<Path> paths_of(Channel& channel, const StreamBlock& block, const StreamInfo& info, int64_t number,
                           int64_t first_frame) {
  Direction& direction = channel.direction;
  std::vector<Path> paths(block.frames, direction.route == Route::heavy ? Path::heavy : Path::light);
  const bool readable = block.damage.empty();
  if (direction.router && readable) {
    const auto scores = channel.decoder.scores(channel_of(block, info, number), info.stages);
    std::ranges::transform(scores, paths.begin(), [&](GateScore score) { return direction.router->next(score); });
    return paths;
  }
  for (int64_t frame = 0; frame < block.frames; ++frame) {
    if (direction.plan.size() > 0) paths[frame] = direction.plan[first_frame + frame];
    if (direction.route == Route::hints && readable) paths[frame] = block.hints[frame * info.channels + number];
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

DecodeSoundOptions::Route parse_route(const std::string& word) {
  if (word == "heavy") return Route::heavy;
  if (word == "light") return Route::light;
  if (word == "gate") return Route::gate;
  if (word == "hints") return Route::hints;
  throw OptionError("unknown value", {"", "route", "heavy, light, gate or hints", word});
}

SoundCodecReport decode_sound(const std::filesystem::path& input, const std::filesystem::path& output,
                              std::shared_ptr<const CodecModel> model, const DecodeSoundOptions& options,
                              const SoundCodecCallbacks& callbacks) {
  CodeSource source(input, *model, options.lyra_stages);
  check(input, source, *model, options);
  SoundCodecReport report;
  report.info = source.info;
  const StreamInfo& info = source.info;
  LossSimulation losses(options.loss);
  const int64_t rate = options.sample_rate > 0 ? options.sample_rate : info.source_rate;
  std::vector<Channel> channels;
  std::optional<HeavyBudget> budget;
  if (options.route == Route::gate) {
    budget.emplace(*model, options, info.channels);
    report.heavy_share = budget->share();
  }
  for (int64_t c = 0; c < info.channels; ++c) {
    Direction direction{options.route};
    if (budget && source.is_pipe())
      direction.router.emplace(LiveRouter::Rules{.heavy_share = budget->share(), .warm_up = budget->switch_cost()});
    else if (budget)
      direction.plan = plan_channel(source, model, c, *budget);
    channels.emplace_back(model, options, std::move(direction), info.sample_rate, rate);
  }
  SoundWriter writer(output, {rate, info.channels});

  // Exactly what was encoded, where the stream says how much that was.
  constexpr int64_t kAny = std::numeric_limits<int64_t>::max();
  int64_t left = info.samples.value_or(kAny), samples = 0, written = 0;
  std::vector<float> interleaved;
  const auto write_ready = [&] {
    const auto ready = static_cast<int64_t>(channels[0].ready.size());
    interleaved.resize(ready * info.channels);
    for (int64_t c = 0; c < info.channels; ++c) {
      for (int64_t i = 0; i < ready; ++i) interleaved[i * info.channels + c] = channels[c].ready[i];
      channels[c].ready.clear();
    }
    writer.write(interleaved);
    written += ready;
  };
  for (int64_t number = 0; const auto block = source.next(); ++number) {
    if (callbacks.stop.stop_requested()) throw Cancelled();
    if (!block->damage.empty()) report.damage.push_back("block " + std::to_string(number) + ": " + block->damage);
    std::vector<bool> lost(block->frames);
    for (int64_t frame = 0; frame < block->frames; ++frame) lost[frame] = losses.next();
    const int64_t kept = std::min(left, block->frames * info.hop - block->padding);
    double work_ms = 0;
    for (int64_t c = 0; c < info.channels; ++c) {
      const Stopwatch watch;
      const auto paths = paths_of(channels[c], *block, info, c, report.frames);
      const auto made = decode_block(channels[c], *block, info, c, lost, paths);
      work_ms += watch.ms();
      if (c == 0 && options.keep_paths) report.paths.insert(report.paths.end(), paths.begin(), paths.end());
      channels[c].resampler.push(std::span(made).first(kept), false, channels[c].ready);
    }
    write_ready();
    left -= kept;
    samples += kept;
    report.frames += block->frames;
    if (work_ms > 0)
      report.real_time.push_back(1000.0 * static_cast<double>(block->frames * info.hop) /
                                 static_cast<double>(info.sample_rate) / work_ms);
    if (callbacks.progress) callbacks.progress(samples, info.samples.value_or(0));
  }
  if (source.is_pipe()) check_end(input, source, options);
  for (Channel& channel : channels) {
    channel.resampler.push({}, true, channel.ready);
    // Rates there and back may round to a sample more or less.
    if (samples == info.samples && info.source_samples && rate == info.source_rate)
      channel.ready.resize(std::max<int64_t>(0, *info.source_samples - written));
  }
  write_ready();
  writer.finish();
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
