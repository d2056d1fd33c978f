#include <lightswitch/audio/lyra.hpp>
#include <lightswitch/error.hpp>

#include <algorithm>
#include <array>

#include "audio/bits.hpp"
#include "core/atomic_file.hpp"
#include "nn/files/mapped_file.hpp"

namespace lightswitch::audio {
namespace {

constexpr int64_t kBits = 4;
constexpr int32_t kEntries = 1 << kBits;

struct Rate {
  int64_t bits_per_second, stages;
};
constexpr std::array<Rate, 3> kRates{{{3200, 16}, {6000, 30}, {9200, 46}}};

void require_stages(int64_t stages) {
  if (std::ranges::find(kRates, stages, &Rate::stages) == kRates.end())
    throw OptionError("Lyra has no such packets", {"", "stages", "16, 30 or 46", std::to_string(stages)});
}

void require_indices(std::span<const int32_t> indices, int64_t stages) {
  if (static_cast<int64_t>(indices.size()) % stages != 0)
    throw TensorError("no whole packets",
                      {"", "indices", "a multiple of " + std::to_string(stages), std::to_string(indices.size())});
  for (const int32_t index : indices)
    if (index < 0 || index >= kEntries)
      throw TensorError("no such entry", {"", "indices", "0 … 15", std::to_string(index)});
}

}  // namespace

int64_t lyra_stages(int64_t bits_per_second) {
  const auto rate = std::ranges::find(kRates, bits_per_second, &Rate::bits_per_second);
  if (rate == kRates.end())
    throw OptionError("Lyra has no such bit rate",
                      {"", "bitrate", "3200, 6000 or 9200", std::to_string(bits_per_second)});
  return rate->stages;
}

std::string pack_lyra(std::span<const int32_t> indices) {
  require_stages(static_cast<int64_t>(indices.size()));
  require_indices(indices, static_cast<int64_t>(indices.size()));
  std::string packet;
  append_bits(packet, indices, kBits);
  return packet;
}

std::vector<int32_t> unpack_lyra(std::string_view packet) {
  const auto size = static_cast<int64_t>(packet.size());
  const auto rate = std::ranges::find_if(kRates, [&](const Rate& r) { return bytes_of_bits(r.stages, kBits) == size; });
  if (rate == kRates.end())
    throw FormatError("not a Lyra packet", {"", "packet", "8, 15 or 23 bytes", std::to_string(size)});
  std::vector<int32_t> indices(rate->stages);
  read_bits(packet, kBits, indices);
  return indices;
}

LyraPackets read_lyra_packets(const std::filesystem::path& file, int64_t stages) {
  require_stages(stages);
  const nn::MappedFile mapping(file);
  const std::string_view bytes(reinterpret_cast<const char*>(mapping.bytes().data()), mapping.bytes().size());
  const size_t size = bytes_of_bits(stages, kBits), frames = bytes.size() / size;
  LyraPackets packets{stages, std::vector<int32_t>(frames * stages), static_cast<int64_t>(bytes.size() % size)};
  for (size_t frame = 0; frame < frames; ++frame)
    read_bits(bytes.substr(frame * size, size), kBits, std::span(packets.indices).subspan(frame * stages, stages));
  return packets;
}

void write_lyra_packets(const std::filesystem::path& file, std::span<const int32_t> indices, int64_t stages) {
  require_stages(stages);
  require_indices(indices, stages);
  write_stream_atomically(file, [&](std::ostream& stream) {
    for (size_t done = 0; done < indices.size(); done += stages) stream << pack_lyra(indices.subspan(done, stages));
  });
}

}  // namespace lightswitch::audio
