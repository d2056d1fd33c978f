#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nn/files/mapped_file.hpp"

namespace lightswitch::audio {

/// A constant of a TensorFlow Lite model, or the place of a number that is computed (then without data).
struct TfliteTensor {
  std::string_view name;
  std::vector<int64_t> shape;
  int8_t type = 0;  ///< of tensorflow/lite/schema: 0 float32, 2 int32, 9 int8
  std::span<const std::byte> data;
  std::span<const std::byte> scales;       ///< float32, one or as many as `axis` is long
  std::span<const std::byte> zero_points;  ///< int64, as many
  int32_t axis = 0;                        ///< along which scales differ
};

/// A step of a graph.
struct TfliteOperator {
  int32_t code = 0;             ///< BuiltinOperator of the schema
  std::vector<int32_t> inputs;  ///< tensors of the graph, -1 for one that is left out
};

struct TfliteGraph {
  std::string_view name;
  std::vector<TfliteTensor> tensors;
  std::vector<TfliteOperator> operators;
};

/// What weights are read from: the constants and the order of the operators of a TensorFlow Lite model (version 3).
/// Nothing is executed. Every offset and size is checked before it is used.
class TfliteFile {
 public:
  /// @throws FileError when it cannot be read, FormatError when it is not sound.
  explicit TfliteFile(const std::filesystem::path& file);

  const std::string& origin() const { return origin_; }
  const std::vector<TfliteGraph>& graphs() const { return graphs_; }
  /// The graph of that name. @throws FormatError.
  const TfliteGraph& graph(std::string_view name) const;
  /// A constant as float32: int8 and int32 are multiplied out with their scales.
  /// @throws FormatError when its bytes do not fit its shape, it is no such constant, or numbers are not finite.
  at::Tensor values(const TfliteTensor& tensor) const;

 private:
  std::string origin_;
  nn::MappedFile mapping_;
  std::vector<TfliteGraph> graphs_;
};

}  // namespace lightswitch::audio
