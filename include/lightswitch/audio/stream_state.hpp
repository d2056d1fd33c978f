#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lightswitch::audio {

class Workspace;

/// Everything that a network remembers of a stream: the last inputs of each of its layers. Belongs to the caller, as
/// one network serves many streams; copies go on independently. Used by one thread at a time.
class StreamState {
 public:
  /// Silence before the stream. Networks make theirs: SoundStreamDecoder::start().
  explicit StreamState(int64_t numbers = 0);
  ~StreamState();
  StreamState(const StreamState& other);
  StreamState(StreamState&& other) noexcept;
  StreamState& operator=(const StreamState& other);
  StreamState& operator=(StreamState&& other) noexcept;

  std::span<float> memory() { return memory_; }
  std::span<const float> memory() const { return memory_; }
  /// Forgets the stream.
  void reset();

  /// Little-endian: "LSST", version, count, numbers.
  std::string to_bytes() const;
  /// @throws FormatError for anything that to_bytes() did not write, NumericError for NaN or infinity.
  static StreamState from_bytes(std::string_view bytes);

  /// Room to compute in, kept so that a stream allocates nothing once it runs. No part of the state.
  Workspace& workspace();

 private:
  std::vector<float> memory_;
  std::unique_ptr<Workspace> workspace_;
};

}  // namespace lightswitch::audio
