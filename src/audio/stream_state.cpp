#include <lightswitch/audio/stream_state.hpp>
#include <lightswitch/error.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "audio/workspace.hpp"
#include "nn/files/byte_reader.hpp"

namespace lightswitch::audio {
namespace {

constexpr std::string_view kSignature = "LSST";
constexpr uint32_t kVersion = 1;

template <typename Number>
void append(std::string& bytes, Number number) {
  bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
}

}  // namespace

StreamState::StreamState(int64_t numbers) : memory_(numbers, 0.0F), workspace_(std::make_unique<Workspace>()) {}
StreamState::~StreamState() = default;
StreamState::StreamState(const StreamState& other)
    : memory_(other.memory_), workspace_(std::make_unique<Workspace>()) {}
StreamState::StreamState(StreamState&& other) noexcept = default;
StreamState& StreamState::operator=(StreamState&& other) noexcept = default;

StreamState& StreamState::operator=(const StreamState& other) {
  memory_ = other.memory_;
  return *this;
}

void StreamState::reset() {
  std::ranges::fill(memory_, 0.0F);
}

Workspace& StreamState::workspace() {
  if (!workspace_) workspace_ = std::make_unique<Workspace>();  // of a state that was moved from
  return *workspace_;
}

std::string StreamState::to_bytes() const {
  std::string bytes(kSignature);
  append(bytes, kVersion);
  append(bytes, static_cast<uint64_t>(memory_.size()));
  bytes.append(reinterpret_cast<const char*>(memory_.data()), memory_.size() * sizeof(float));
  return bytes;
}

StreamState StreamState::from_bytes(std::string_view bytes) {
  nn::ByteReader reader(std::as_bytes(std::span(bytes)), "memory", "stream state");
  const auto signature = reader.text(kSignature.size());
  if (signature != kSignature) reader.refuse("not a stream state", std::string(kSignature), std::string(signature));
  if (const auto version = reader.number<uint32_t>(); version != kVersion)
    reader.refuse("unsupported version", std::to_string(kVersion), std::to_string(version));
  const auto count = reader.number<uint64_t>();
  if (count != reader.left() / sizeof(float) || reader.left() % sizeof(float) != 0)
    reader.refuse("size does not fit", std::to_string(count) + " numbers", std::to_string(reader.left()) + " bytes");
  StreamState state(static_cast<int64_t>(count));
  if (count > 0) std::memcpy(state.memory_.data(), reader.take(count * sizeof(float)).data(), count * sizeof(float));
  if (!std::ranges::all_of(state.memory_, [](float number) { return std::isfinite(number); }))
    throw NumericError("stream state holds NaN or infinity");
  return state;
}

}  // namespace lightswitch::audio
