#include "audio/lyra/tflite_file.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "audio/lyra/flat_table.hpp"

namespace lightswitch::audio {
namespace {

constexpr std::string_view kSignature = "TFL3";
constexpr uint32_t kVersion = 3;
constexpr size_t kMostAxes = 8;
/// Tables may share their bytes, so that a small file could name very many: together no more than this.
constexpr size_t kMostTensors = 1 << 14, kMostOperators = 1 << 14, kMostGraphs = 64, kMostInputs = 1 << 18;

// Numbers of fields in tensorflow/lite/schema/schema.fbs.
namespace model {
enum { version, operator_codes, subgraphs, description, buffers };
}
namespace operator_code {
enum { deprecated_builtin_code, custom_code, version, builtin_code };
}
namespace subgraph {
enum { tensors, inputs, outputs, operators, name };
}
namespace tensor {
enum { shape, type, buffer, name, quantization };
}
namespace quantization {
enum { min, max, scale, zero_point, details_type, details, quantized_dimension };
}
namespace op {
enum { opcode_index, inputs };
}
namespace buffer {
enum { data };
}

template <typename Number>
Number number_at(std::span<const std::byte> bytes, size_t index) {
  Number value;
  std::memcpy(&value, bytes.data() + index * sizeof value, sizeof value);
  return value;
}

class Reader {
 public:
  Reader(std::span<const std::byte> file, const std::string& origin) : bytes_(file, origin) {}

  std::vector<TfliteGraph> read() {
    const auto signature = bytes_.at(4, kSignature.size());
    const std::string_view found(reinterpret_cast<const char*>(signature.data()), signature.size());
    if (found != kSignature) bytes_.refuse("not a TensorFlow Lite model", std::string(kSignature), "other bytes");
    const FlatTable top(bytes_, bytes_.number<uint32_t>(0));
    if (const auto version = top.number<uint32_t>(model::version, 0); version != kVersion)
      bytes_.refuse("unsupported model version", std::to_string(kVersion), std::to_string(version));
    top.tables(model::operator_codes, [&](const FlatTable& code) {
      // Codes above 127 came later, in a field of their own.
      const int32_t old = code.number<int8_t>(operator_code::deprecated_builtin_code, 0);
      count(codes_.size(), kMostOperators, "operator codes");
      codes_.push_back(std::max(old, code.number<int32_t>(operator_code::builtin_code, 0)));
    });
    top.tables(model::buffers, [&](const FlatTable& one) {
      count(buffers_.size(), kMostTensors, "buffers");
      buffers_.push_back(one.vector(buffer::data, 1));
    });
    std::vector<TfliteGraph> graphs;
    top.tables(model::subgraphs, [&](const FlatTable& one) {
      count(graphs.size(), kMostGraphs, "graphs");
      graphs.push_back(read_graph(one));
    });
    return graphs;
  }

 private:
  void count(size_t so_far, size_t most, const char* what) const {
    if (so_far >= most) bytes_.refuse("too many " + std::string(what), "at most " + std::to_string(most), "more");
  }

  TfliteGraph read_graph(const FlatTable& from) {
    TfliteGraph graph;
    graph.name = from.text(subgraph::name);
    from.tables(subgraph::tensors, [&](const FlatTable& one) {
      count(tensors_++, kMostTensors, "tensors");
      graph.tensors.push_back(read_tensor(one));
    });
    from.tables(subgraph::operators, [&](const FlatTable& one) {
      count(operators_++, kMostOperators, "operators");
      graph.operators.push_back(read_operator(one, graph.tensors.size()));
    });
    return graph;
  }

  TfliteTensor read_tensor(const FlatTable& from) const {
    TfliteTensor read;
    read.name = from.text(tensor::name);
    const auto shape = from.vector(tensor::shape, 4);
    if (shape.size() / 4 > kMostAxes)
      bytes_.refuse("too many axes", "at most " + std::to_string(kMostAxes), std::to_string(shape.size() / 4));
    for (size_t i = 0; i < shape.size() / 4; ++i) read.shape.push_back(number_at<int32_t>(shape, i));
    read.type = from.number<int8_t>(tensor::type, 0);
    const auto place = from.number<uint32_t>(tensor::buffer, 0);
    if (place >= buffers_.size())
      bytes_.refuse("no such buffer", "below " + std::to_string(buffers_.size()), std::to_string(place));
    read.data = buffers_[place];
    if (const auto q = from.table(tensor::quantization)) {
      read.scales = q->vector(quantization::scale, 4);
      read.zero_points = q->vector(quantization::zero_point, 8);
      read.axis = q->number<int32_t>(quantization::quantized_dimension, 0);
    }
    return read;
  }

  TfliteOperator read_operator(const FlatTable& from, size_t tensors) {
    const auto code = from.number<uint32_t>(op::opcode_index, 0);
    if (code >= codes_.size())
      bytes_.refuse("no such operator code", "below " + std::to_string(codes_.size()), std::to_string(code));
    TfliteOperator read{codes_[code], {}};
    const auto inputs = from.vector(op::inputs, 4);
    for (size_t i = 0; i < inputs.size() / 4; ++i) {
      count(inputs_++, kMostInputs, "inputs");
      const auto input = number_at<int32_t>(inputs, i);
      if (input < -1 || input >= static_cast<int64_t>(tensors))
        bytes_.refuse("no such tensor", "below " + std::to_string(tensors), std::to_string(input));
      read.inputs.push_back(input);
    }
    return read;
  }

  FlatBytes bytes_;
  std::vector<int32_t> codes_;
  std::vector<std::span<const std::byte>> buffers_;
  size_t tensors_ = 0, operators_ = 0, inputs_ = 0;
};

struct ElementType {
  int8_t number;
  at::ScalarType dtype;
  size_t size;
};
constexpr ElementType kElementTypes[] = {{0, at::kFloat, 4}, {2, at::kInt, 4}, {9, at::kChar, 1}};

}  // namespace

TfliteFile::TfliteFile(const std::filesystem::path& file)
    : origin_(file.string()), mapping_(file), graphs_(Reader(mapping_.bytes(), origin_).read()) {}

const TfliteGraph& TfliteFile::graph(std::string_view name) const {
  const auto found = std::ranges::find(graphs_, name, &TfliteGraph::name);
  if (found == graphs_.end())
    throw FormatError("lacks a graph",
                      {origin_, "subgraphs", std::string(name), std::to_string(graphs_.size()) + " others"});
  return *found;
}

at::Tensor TfliteFile::values(const TfliteTensor& tensor) const {
  const auto refuse = [&](const std::string& message, const std::string& expected, const std::string& found) {
    throw FormatError(message, {origin_, std::string(tensor.name.substr(0, 200)), expected, found});
  };
  const auto type = std::ranges::find(kElementTypes, tensor.type, &ElementType::number);
  if (type == std::end(kElementTypes)) {
    refuse("not a type that weights have", "float32, int32 or int8", "type " + std::to_string(tensor.type));
  }
  uint64_t bytes = type->size;
  for (const int64_t size : tensor.shape)
    if (size <= 0 || __builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes))
      refuse("not the shape of a constant", "sizes above 0", c10::str(tensor.shape));
  if (bytes != tensor.data.size())
    refuse("constant of another size", std::to_string(bytes) + " bytes for " + c10::str(tensor.shape),
           std::to_string(tensor.data.size()));
  at::Tensor stored = at::empty(tensor.shape, type->dtype);
  std::memcpy(stored.mutable_data_ptr(), tensor.data.data(), bytes);
  if (type->dtype != at::kFloat) {
    const size_t count = tensor.scales.size() / sizeof(float);
    const bool along = count > 1 && tensor.axis >= 0 && static_cast<size_t>(tensor.axis) < tensor.shape.size() &&
                       tensor.shape[tensor.axis] == static_cast<int64_t>(count);
    if ((count != 1 && !along) || tensor.zero_points.size() / sizeof(int64_t) != count)
      refuse("scales that do not fit", "one, or one for each along an axis",
             std::to_string(count) + " scales, " + std::to_string(tensor.zero_points.size() / sizeof(int64_t)) +
                 " zero points");
    at::Tensor scale = at::empty({static_cast<int64_t>(count)}), zero = at::empty({static_cast<int64_t>(count)});
    for (size_t i = 0; i < count; ++i) {
      scale.mutable_data_ptr<float>()[i] = number_at<float>(tensor.scales, i);
      zero.mutable_data_ptr<float>()[i] = static_cast<float>(number_at<int64_t>(tensor.zero_points, i));
    }
    std::vector<int64_t> broadcast(tensor.shape.size(), 1);
    if (along) broadcast[tensor.axis] = static_cast<int64_t>(count);
    stored = (stored.to(at::kFloat) - zero.reshape(broadcast)) * scale.reshape(broadcast);
  }
  if (!at::isfinite(stored).all().item<bool>()) refuse("constant is not finite", "finite numbers", "NaN or infinity");
  return stored;
}

}  // namespace lightswitch::audio
