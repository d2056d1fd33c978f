#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lightswitch::audio::testing {

/// Writes flatbuffers front to back: who refers to something is patched once it is there.
class FlatWriter {
 public:
  /// A field of a table: number, bytes that stay, or four bytes that are patched later.
  struct Field {
    int number;
    std::string bytes;
  };

  template <typename Number>
  static std::string raw(Number value) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
  }
  static std::string later() { return std::string(4, '\0'); }

  /// @return where the table starts, and where each field lies.
  std::pair<uint32_t, std::vector<uint32_t>> table(const std::vector<Field>& fields) {
    int most = -1;
    for (const Field& field : fields) most = std::max(most, field.number);
    std::vector<uint16_t> offsets(most + 1, 0);
    uint16_t size = 4;
    for (const Field& field : fields) {
      offsets[field.number] = size;
      size += static_cast<uint16_t>(field.bytes.size());
    }
    const auto list = static_cast<uint32_t>(bytes.size());
    bytes += raw<uint16_t>(static_cast<uint16_t>(4 + 2 * offsets.size())) + raw(size);
    for (const uint16_t offset : offsets) bytes += raw(offset);
    const auto start = static_cast<uint32_t>(bytes.size());
    bytes += raw(static_cast<int32_t>(start - list));
    std::vector<uint32_t> places;
    for (const Field& field : fields) {
      places.push_back(static_cast<uint32_t>(bytes.size()));
      bytes += field.bytes;
    }
    return {start, places};
  }

  uint32_t vector(uint32_t count, std::string_view content) {
    const auto start = static_cast<uint32_t>(bytes.size());
    bytes += raw(count);
    bytes += content;
    return start;
  }

  void patch(uint32_t place, uint32_t target) { bytes.replace(place, 4, raw(target - place)); }

  /// A vector of offsets, pointed to from `place`. @return where each offset lies.
  std::vector<uint32_t> offsets(uint32_t place, uint32_t count) {
    patch(place, vector(count, std::string(4 * count, '\0')));
    std::vector<uint32_t> places;
    for (uint32_t i = 0; i < count; ++i) places.push_back(static_cast<uint32_t>(bytes.size()) - 4 * (count - i));
    return places;
  }

  std::string bytes;
};

struct SmallTensor {
  std::string name;
  std::vector<int32_t> shape;
  int8_t type = 0;
  std::string data;
  std::vector<float> scales = {};
  std::vector<int64_t> zero_points = {};
  int32_t axis = 0;
};

struct SmallGraph {
  std::string name;
  std::vector<SmallTensor> tensors;
  std::vector<std::pair<int32_t, std::vector<int32_t>>> operators;  ///< builtin code, inputs
};

template <typename Number>
std::string raw_numbers(const std::vector<Number>& numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(Number)};
}

/// A TensorFlow Lite model with these graphs: a buffer for each tensor, an operator code for each operator.
inline std::string tflite_bytes(const std::vector<SmallGraph>& graphs) {
  FlatWriter out;
  const auto later = FlatWriter::later();
  out.bytes = later + "TFL3";
  const auto [top, fields] = out.table({{0, FlatWriter::raw<uint32_t>(3)}, {1, later}, {2, later}, {4, later}});
  out.patch(0, top);
  std::vector<int32_t> codes;
  uint32_t buffers = 0;
  for (const SmallGraph& graph : graphs) {
    for (const auto& op : graph.operators) codes.push_back(op.first);
    buffers += static_cast<uint32_t>(graph.tensors.size());
  }
  const auto code_places = out.offsets(fields[1], static_cast<uint32_t>(codes.size()));
  for (size_t i = 0; i < codes.size(); ++i)
    out.patch(code_places[i], out.table({{0, FlatWriter::raw(static_cast<int8_t>(codes[i]))}}).first);
  const auto buffer_places = out.offsets(fields[3], buffers);
  const auto graph_places = out.offsets(fields[2], static_cast<uint32_t>(graphs.size()));
  uint32_t buffer = 0, code = 0;
  for (size_t g = 0; g < graphs.size(); ++g) {
    const SmallGraph& graph = graphs[g];
    const auto [start, parts] = out.table({{0, later}, {3, later}, {4, later}});
    out.patch(graph_places[g], start);
    out.patch(parts[2], out.vector(static_cast<uint32_t>(graph.name.size()), graph.name));
    const auto tensor_places = out.offsets(parts[0], static_cast<uint32_t>(graph.tensors.size()));
    for (size_t t = 0; t < graph.tensors.size(); ++t) {
      const SmallTensor& tensor = graph.tensors[t];
      const auto [content, content_parts] = out.table({{0, later}});
      out.patch(buffer_places[buffer], content);
      out.patch(content_parts[0], out.vector(static_cast<uint32_t>(tensor.data.size()), tensor.data));
      std::vector<FlatWriter::Field> list{
          {0, later}, {1, FlatWriter::raw(tensor.type)}, {2, FlatWriter::raw(buffer++)}, {3, later}};
      if (!tensor.scales.empty()) list.push_back({4, later});
      const auto [place, own] = out.table(list);
      out.patch(tensor_places[t], place);
      out.patch(own[0], out.vector(static_cast<uint32_t>(tensor.shape.size()), raw_numbers(tensor.shape)));
      out.patch(own[3], out.vector(static_cast<uint32_t>(tensor.name.size()), tensor.name));
      if (tensor.scales.empty()) continue;
      const auto [q, q_parts] = out.table({{2, later}, {3, later}, {6, FlatWriter::raw(tensor.axis)}});
      out.patch(own[4], q);
      out.patch(q_parts[0], out.vector(static_cast<uint32_t>(tensor.scales.size()), raw_numbers(tensor.scales)));
      out.patch(q_parts[1],
                out.vector(static_cast<uint32_t>(tensor.zero_points.size()), raw_numbers(tensor.zero_points)));
    }
    const auto op_places = out.offsets(parts[1], static_cast<uint32_t>(graph.operators.size()));
    for (size_t o = 0; o < graph.operators.size(); ++o) {
      const auto [place, own] = out.table({{0, FlatWriter::raw(code++)}, {1, later}});
      out.patch(op_places[o], place);
      const auto& inputs = graph.operators[o].second;
      out.patch(own[1], out.vector(static_cast<uint32_t>(inputs.size()), raw_numbers(inputs)));
    }
  }
  return out.bytes;
}

/// One graph with a constant of each type, and one operator.
inline std::string small_tflite() {
  return tflite_bytes({{"main",
                        {{"input", {1, 2}, 0, ""},
                         {"weight", {2, 2}, 9, raw_numbers<int8_t>({1, 2, 3, -4}), {0.5F, 2.0F}, {0, 1}, 0},
                         {"bias", {2}, 2, raw_numbers<int32_t>({10, -6}), {0.25F}, {0}, 0},
                         {"plain", {3}, 0, raw_numbers<float>({1.5F, -2.0F, 0.0F})}},
                        {{3, {0, 1, 2}}, {67, {-1, 1, 0, 2}}}},
                       {"decode", {{"transpose", {1}, 0, raw_numbers<float>({7.0F})}}, {}}});
}

}  // namespace lightswitch::audio::testing
