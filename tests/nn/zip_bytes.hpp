#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace lightswitch::testing {

template <typename Number>
std::string little_endian(Number value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

/// A zip archive of stored entries, without checksums, so that a test can write what torch.save never would.
/// @param zip64 numbers stand in the 64-bit records.
inline std::string zip_bytes(const std::vector<std::pair<std::string, std::string>>& files, bool zip64 = false,
                             uint16_t method = 0) {
  std::string bytes, directory;
  for (const auto& [name, content] : files) {
    const auto size = static_cast<uint32_t>(content.size()), offset = static_cast<uint32_t>(bytes.size());
    const std::string extra = zip64 ? little_endian<uint16_t>(1) + little_endian<uint16_t>(24) +
                                          little_endian<uint64_t>(size) + little_endian<uint64_t>(size) +
                                          little_endian<uint64_t>(offset)
                                    : "";
    const auto sizes = zip64 ? std::string(8, '\xff') : little_endian(size) + little_endian(size);
    const std::string common = little_endian<uint16_t>(20) + little_endian<uint16_t>(0) + little_endian(method) +
                               std::string(8, '\0') + sizes + little_endian(static_cast<uint16_t>(name.size())) +
                               little_endian(static_cast<uint16_t>(extra.size()));
    bytes += "PK\x03\x04" + common + name + extra + content;
    directory += std::string("PK\x01\x02\x14\0", 6) + common + std::string(10, '\0') +
                 (zip64 ? std::string(4, '\xff') : little_endian(offset)) + name + extra;
  }
  const auto start = bytes.size(), count = files.size();
  bytes += directory;
  if (zip64) {
    const auto end = bytes.size();
    bytes += "PK\x06\x06" + little_endian<uint64_t>(44) + std::string(12, '\0') + little_endian<uint64_t>(count) +
             little_endian<uint64_t>(count) + little_endian<uint64_t>(directory.size()) +
             little_endian<uint64_t>(start);
    bytes += "PK\x06\x07" + std::string(4, '\0') + little_endian<uint64_t>(end) + little_endian<uint32_t>(1);
  }
  const auto small = static_cast<uint16_t>(zip64 ? 0xffff : count);
  return bytes + "PK\x05\x06" + std::string(4, '\0') + little_endian(small) + little_endian(small) +
         (zip64
              ? std::string(8, '\xff')
              : little_endian(static_cast<uint32_t>(directory.size())) + little_endian(static_cast<uint32_t>(start))) +
         little_endian<uint16_t>(0);
}

}  // namespace lightswitch::testing
