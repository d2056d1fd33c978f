#pragma once

#include <lightswitch/weights.hpp>

#include <filesystem>
#include <memory>

namespace lightswitch::nn {

/// Weights cut into several safetensors files, put together by an index.json whose weight_map names the shard of every
/// tensor. Shards lie beside the index; map and shards must agree about every tensor.
/// @throws FileError, FormatError.
std::shared_ptr<const WeightSource> open_sharded_file(const std::filesystem::path& index);

}  // namespace lightswitch::nn
