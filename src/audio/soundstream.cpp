#include <lightswitch/audio/soundstream.hpp>
#include <lightswitch/error.hpp>

#include "audio/network.hpp"
#include "audio/parts.hpp"

namespace lightswitch::audio {
namespace {

template <typename Make>
std::shared_ptr<const Network> load(const Layout& layout, std::shared_ptr<const WeightSource> weights,
                                    const std::string& prefix, const Make& make) {
  layout.validate();
  nn::WeightLoader loader = part_loader(std::move(weights), prefix);
  auto network = std::make_shared<const Network>(make(layout, loader));
  loader.finish();
  return network;
}

void require_room(std::span<float> room, int64_t needed, const char* what) {
  if (static_cast<int64_t>(room.size()) < needed)
    throw TensorError("too little room", {"", what, std::to_string(needed), std::to_string(room.size())});
}

}  // namespace

SoundStreamNetwork::SoundStreamNetwork(Layout layout, std::shared_ptr<const Network> network)
    : layout_(std::move(layout)), network_(std::move(network)) {}

StreamState SoundStreamNetwork::start() const {
  return StreamState(network_->memory());
}

int64_t SoundStreamNetwork::parameters() const {
  return network_->parameters();
}

int64_t SoundStreamNetwork::macs_per_frame() const {
  return network_->macs_per_frame();
}

const Network& SoundStreamNetwork::checked(const StreamState& state) const {
  const auto found = static_cast<int64_t>(state.memory().size());
  if (found != network_->memory())
    throw TensorError("state of another network",
                      {"", "state", std::to_string(network_->memory()) + " numbers", std::to_string(found)});
  return *network_;
}

int64_t SoundStreamNetwork::frames_in(std::span<const float> numbers, int64_t per_frame, const char* what) {
  const auto count = static_cast<int64_t>(numbers.size());
  if (count % per_frame != 0)
    throw TensorError("no whole frames",
                      {"", what, "a multiple of " + std::to_string(per_frame), std::to_string(count)});
  return count / per_frame;
}

SoundStreamEncoder::SoundStreamEncoder(const Layout& layout, std::shared_ptr<const WeightSource> weights,
                                       const std::string& prefix)
    : SoundStreamNetwork(layout, load(layout, std::move(weights), prefix, Network::encoder)) {}

void SoundStreamEncoder::encode(std::span<const float> samples, StreamState& state, std::span<float> embeddings) const {
  const Network& network = checked(state);
  const int64_t frames = frames_in(samples, layout_.hop(), "samples");
  require_room(embeddings, frames * layout_.features, "embeddings");
  network.run(samples, state.memory(), state.workspace(), embeddings);
}

SoundStreamDecoder::SoundStreamDecoder(const Layout& layout, std::shared_ptr<const WeightSource> weights,
                                       const std::string& prefix)
    : SoundStreamNetwork(layout, load(layout, std::move(weights), prefix, Network::decoder)) {}

void SoundStreamDecoder::decode(std::span<const float> embeddings, StreamState& state, std::span<float> samples) const {
  const Network& network = checked(state);
  const int64_t frames = frames_in(embeddings, layout_.features, "embeddings");
  require_room(samples, frames * layout_.hop(), "samples");
  network.run(embeddings, state.memory(), state.workspace(), samples);
}

int64_t SoundStreamDecoder::reach() const {
  return network_->reach();
}

void SoundStreamDecoder::warm_up(std::span<const float> embeddings, StreamState& state) const {
  const Network& network = checked(state);
  frames_in(embeddings, layout_.features, "embeddings");
  network.warm_up(embeddings, state.memory(), state.workspace());
}

int64_t SoundStreamDecoder::warm_up_macs(int64_t frames) const {
  return network_->warm_up_macs(frames);
}

}  // namespace lightswitch::audio
