#include <lightswitch/decode.hpp>

#include <algorithm>
#include <array>

#include "decoder/tiling.hpp"

namespace lightswitch {
namespace {

constexpr std::array<int64_t, 10> kTileSizes = {256, 192, 128, 96, 64, 48, 32, 24, 16, 8};

std::string mebibytes(int64_t bytes) {
  return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB";
}

}  // namespace

std::optional<int64_t> predicted_decode_bytes(const Decoder& decoder, int64_t height, int64_t width,
                                              const TileOptions& tiles) {
  const LatentSpec& spec = decoder.spec();
  const int64_t pixel = spec.factor * spec.factor * static_cast<int64_t>(sizeof(float));
  const bool tiled = tiles.size > 0;
  const int64_t reach = tiled ? tiles.size + (spec.global_operations ? 0 : 2 * spec.halo) : 0;
  const int64_t tile_height = tiled ? std::min(reach, height) : height;
  const int64_t tile_width = tiled ? std::min(reach, width) : width;
  const auto activations = decoder.activation_bytes(tile_height, tile_width);
  if (!activations) return std::nullopt;
  // The decoder's picture and its copy in [0, 1] follow the activations, the weights of blended tiles too.
  const int64_t tile_pictures = (tiled && spec.global_operations ? 7 : 6) * tile_height * tile_width * pixel;
  // What the tiles are laid into: the picture, and where tiles are blended the sum of their weights.
  const int64_t canvas = tiled ? (spec.global_operations ? 4 : 3) * height * width * pixel : 0;
  return canvas + std::max(*activations, tile_pictures);
}

std::optional<TileOptions> smaller_tiles(const Decoder& decoder, int64_t height, int64_t width,
                                         const TileOptions& tiles) {
  const bool can_tile = !decoder.spec().global_operations || (decoder.shared_norms() && !tiles.only_exact);
  if (!can_tile) return std::nullopt;
  const int64_t whole = std::max(height, width), limit = tiles.size > 0 ? std::min(tiles.size, whole) : whole;
  const auto size = std::ranges::find_if(kTileSizes, [&](int64_t edge) { return edge < limit; });
  if (size == kTileSizes.end()) return std::nullopt;
  TileOptions smaller = tiles;
  smaller.size = *size;
  return smaller;
}

TileOptions fitting_tiles(const Decoder& decoder, int64_t height, int64_t width, int64_t max_bytes,
                          const TileOptions& wanted) {
  TileOptions tiles = wanted;
  const auto bytes_with = [&](int64_t size) {
    tiles.size = size;
    const auto bytes = predicted_decode_bytes(decoder, height, width, tiles);
    if (!bytes)
      throw UnsupportedError("this decoder does not tell how much memory it takes",
                             {"", "max_memory", "a family that counts it", decoder.info().family});
    return *bytes;
  };
  int64_t least = bytes_with(wanted.size);
  if (least <= max_bytes) return tiles;
  for (auto smaller = smaller_tiles(decoder, height, width, wanted); smaller;
       smaller = smaller_tiles(decoder, height, width, *smaller)) {
    const int64_t bytes = bytes_with(smaller->size);
    if (bytes <= max_bytes) return tiles;
    least = std::min(least, bytes);
  }
  throw UnsupportedError("the decode does not fit into the memory it may take",
                         {"", "max_memory", mebibytes(least) + " or more", mebibytes(max_bytes)});
}

}  // namespace lightswitch
