#include <lightswitch/audio/switching_decoder.hpp>
#include <lightswitch/error.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "audio/workspace.hpp"
#include "nn/files/byte_reader.hpp"

namespace lightswitch::audio {
namespace {

/// Frames that are decoded together, so that what is held does not grow with the call.
constexpr int64_t kBlock = 8;

constexpr std::string_view kSignature = "LSSW";
constexpr uint32_t kVersion = 1;

template <typename Number>
void append(std::string& bytes, Number number) {
  bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
}

void append_text(std::string& bytes, const std::string& text) {
  append(bytes, static_cast<uint64_t>(text.size()));
  bytes += text;
}

}  // namespace

std::string SwitchingState::to_bytes() const {
  std::string bytes(kSignature);
  append(bytes, kVersion);
  append_text(bytes, light.to_bytes());
  append_text(bytes, heavy.to_bytes());
  StreamState embeddings(static_cast<int64_t>(ring.size()));
  std::ranges::copy(ring, embeddings.memory().begin());
  append_text(bytes, embeddings.to_bytes());
  append(bytes, static_cast<uint8_t>(!path ? 0 : *path == Path::light ? 1 : 2));
  append(bytes, static_cast<uint8_t>(heavy_is_current));
  for (const int64_t number : {known, frames[0], frames[1], switch_ons, switching_macs}) append(bytes, number);
  return bytes;
}

SwitchingState SwitchingState::from_bytes(std::string_view bytes) {
  nn::ByteReader reader(std::as_bytes(std::span(bytes)), "memory", "switching state");
  const auto signature = reader.text(kSignature.size());
  if (signature != kSignature) reader.refuse("not a switching state", std::string(kSignature), std::string(signature));
  if (const auto version = reader.number<uint32_t>(); version != kVersion)
    reader.refuse("unsupported version", std::to_string(kVersion), std::to_string(version));
  SwitchingState state;
  state.light = StreamState::from_bytes(reader.text(reader.number<uint64_t>()));
  state.heavy = StreamState::from_bytes(reader.text(reader.number<uint64_t>()));
  const auto ring = StreamState::from_bytes(reader.text(reader.number<uint64_t>()));
  state.ring.assign(ring.memory().begin(), ring.memory().end());
  const auto path = reader.number<uint8_t>(), current = reader.number<uint8_t>();
  if (path > 2 || current > 1) reader.refuse("unknown path", "0 … 2 and 0 … 1", std::to_string(path));
  if (path > 0) state.path = path == 1 ? Path::light : Path::heavy;
  state.heavy_is_current = current == 1;
  for (int64_t* number : {&state.known, &state.frames[0], &state.frames[1], &state.switch_ons, &state.switching_macs}) {
    *number = reader.number<int64_t>();
    if (*number < 0) reader.refuse("negative count", "0 and more", std::to_string(*number));
  }
  if (reader.left() != 0) reader.refuse("bytes behind the state", "none", std::to_string(reader.left()));
  return state;
}

SwitchingDecoder::SwitchingDecoder(SoundStreamDecoder light, SoundStreamDecoder heavy)
    : SwitchingDecoder(std::move(light), std::move(heavy), Options()) {}

SwitchingDecoder::SwitchingDecoder(SoundStreamDecoder light, SoundStreamDecoder heavy, Options options)
    : light_(std::move(light)),
      heavy_(std::move(heavy)),
      warm_up_frames_(std::min(options.warm_up_frames.value_or(heavy_.reach()), heavy_.reach())) {
  const Layout &one = light_.layout(), &other = heavy_.layout();
  if (one.features != other.features || one.hop() != other.hop())
    throw TensorError("decoders of different latent spaces",
                      {"", "light", std::to_string(other.features) + " features, hop " + std::to_string(other.hop()),
                       std::to_string(one.features) + " features, hop " + std::to_string(one.hop())});
  if (warm_up_frames_ < 0)
    throw OptionError("impossible number", {"", "warm_up_frames", "0 and more", std::to_string(warm_up_frames_)});
  if (options.fade < 0 || options.fade > other.hop())
    throw OptionError("impossible length",
                      {"", "fade", "0 … " + std::to_string(other.hop()), std::to_string(options.fade)});
  for (int64_t i = 0; i < options.fade; ++i)
    fade_.push_back(static_cast<float>(
        0.5 - 0.5 * std::cos(std::numbers::pi * (static_cast<double>(i) + 0.5) / static_cast<double>(options.fade))));
}

SwitchingState SwitchingDecoder::start() const {
  SwitchingState state;
  state.light = light_.start();
  state.heavy = heavy_.start();
  state.ring.resize(warm_up_frames_ * heavy_.layout().features);
  return state;
}

double SwitchingDecoder::switch_cost() const {
  return 1 + static_cast<double>(heavy_.warm_up_macs(warm_up_frames_)) / static_cast<double>(heavy_.macs_per_frame());
}

RoutingStats SwitchingDecoder::stats(const SwitchingState& state, PathCost gate) const {
  RoutingStats stats;
  stats.light = state.frames[0];
  stats.heavy = state.frames[1];
  stats.light_cost = {light_.macs_per_frame(), light_.parameters()};
  stats.heavy_cost = {heavy_.macs_per_frame(), heavy_.parameters()};
  stats.gate_cost = gate;
  stats.warm_up_macs = state.switching_macs;
  return stats;
}

void SwitchingDecoder::decode(std::span<const float> embeddings, std::span<const Path> paths, SwitchingState& state,
                              std::span<float> samples) const {
  const int64_t features = heavy_.layout().features, hop = heavy_.layout().hop();
  const auto frames = static_cast<int64_t>(paths.size());
  if (static_cast<int64_t>(embeddings.size()) != frames * features)
    throw TensorError("embeddings and paths are not of the same frames",
                      {"", "embeddings", std::to_string(frames * features), std::to_string(embeddings.size())});
  if (static_cast<int64_t>(samples.size()) < frames * hop)
    throw TensorError("too little room", {"", "samples", std::to_string(frames * hop), std::to_string(samples.size())});
  if (static_cast<int64_t>(state.ring.size()) != warm_up_frames_ * features || state.known > warm_up_frames_)
    throw TensorError("state of another decoder",
                      {"", "state", std::to_string(warm_up_frames_ * features) + " numbers in its ring",
                       std::to_string(state.ring.size())});
  for (int64_t done = 0; done < frames; done += kBlock) {
    const int64_t count = std::min(kBlock, frames - done);
    decode_block(embeddings.subspan(done * features, count * features), paths.subspan(done, count), state,
                 samples.subspan(done * hop, count * hop));
  }
}

void SwitchingDecoder::decode_block(std::span<const float> embeddings, std::span<const Path> paths,
                                    SwitchingState& state, std::span<float> samples) const {
  const int64_t features = heavy_.layout().features, hop = heavy_.layout().hop();
  const auto frames = static_cast<int64_t>(paths.size());
  Workspace& room = state.heavy.workspace();
  // Everything that a warm-up inside of this block may look at, in one piece.
  const int64_t past = state.known;
  if (static_cast<int64_t>(room.embeddings.size()) < (warm_up_frames_ + kBlock) * features) {
    room.embeddings.resize((warm_up_frames_ + kBlock) * features);
    room.samples.resize(kBlock * hop);
  }
  std::copy(state.ring.end() - past * features, state.ring.end(), room.embeddings.begin());
  std::ranges::copy(embeddings, room.embeddings.begin() + past * features);
  const std::span<const float> all(room.embeddings.data(), (past + frames) * features);

  light_.decode(embeddings, state.light, samples);

  for (int64_t frame = 0; frame < frames;) {
    const auto previous = frame == 0 ? state.path : std::optional(paths[frame - 1]);
    const bool fades_out = previous == Path::heavy && paths[frame] == Path::light;
    if (paths[frame] == Path::light && !fades_out) {
      state.heavy_is_current = false;
      ++frame;
      continue;
    }
    // A run of heavy frames, or the one frame that fades out.
    int64_t end = frame + 1;
    while (!fades_out && end < frames && paths[end] == Path::heavy) ++end;
    const int64_t count = end - frame;
    if (!state.heavy_is_current && (past > 0 || frame > 0)) {
      const int64_t known = std::min(past + frame, warm_up_frames_);
      heavy_.warm_up(all.subspan((past + frame - known) * features, known * features), state.heavy);
      state.switching_macs += heavy_.warm_up_macs(known);
      ++state.switch_ons;
    }
    heavy_.decode(embeddings.subspan(frame * features, count * features), state.heavy,
                  std::span(room.samples).first(count * hop));
    state.heavy_is_current = true;
    float* const light = samples.data() + frame * hop;
    const float* const heavy = room.samples.data();
    const bool fades_in = previous == Path::light && !fades_out;
    const auto faded = static_cast<int64_t>(fades_in || fades_out ? fade_.size() : 0);
    for (int64_t i = 0; i < faded; ++i) {
      const float share = fades_out ? 1 - fade_[i] : fade_[i];
      light[i] += share * (heavy[i] - light[i]);
    }
    if (!fades_out) std::copy_n(heavy + faded, count * hop - faded, light + faded);
    state.switching_macs += count * (fades_out ? heavy_.macs_per_frame() : light_.macs_per_frame());
    frame = end;
  }

  for (const Path path : paths) ++state.frames[path == Path::heavy];
  state.path = paths.back();
  state.known = std::min(past + frames, warm_up_frames_);
  std::copy(all.end() - state.known * features, all.end(), state.ring.end() - state.known * features);
}

}  // namespace lightswitch::audio
