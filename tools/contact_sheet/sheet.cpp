#include "contact_sheet/sheet.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "contact_sheet/label_opencv.hpp"

namespace lightswitch::contact_sheet {
namespace {

at::Tensor padded(const at::Tensor& block, int64_t height, int64_t width) {
  return at::constant_pad_nd(block, {0, width - block.size(2), 0, height - block.size(1)}, 1);
}

/// Blocks side by side, white below the shorter ones.
at::Tensor beside(const std::vector<at::Tensor>& blocks, int64_t gap) {
  int64_t height = 0;
  for (const at::Tensor& block : blocks) height = std::max(height, block.size(1));
  std::vector<at::Tensor> parts;
  for (const at::Tensor& block : blocks) parts.push_back(padded(block, height, block.size(2) + gap));
  return at::cat(parts, 2);
}

std::string label_at(const std::vector<std::string>& labels, size_t index) {
  return index < labels.size() ? labels[index] : "";
}

}  // namespace

at::Tensor lay_out(const std::vector<Cell>& cells, const Layout& layout) {
  int64_t cell_width = 0;
  for (const Cell& cell : cells) cell_width = std::max(cell_width, cell.picture.size(2));
  const auto columns = static_cast<size_t>(layout.columns);
  const int64_t row_width = layout.columns * (cell_width + layout.gap);

  std::vector<at::Tensor> bands;
  const auto add_band = [&](const at::Tensor& band, int64_t gap_below) {
    if (band.size(1) > 0) bands.push_back(padded(band, band.size(1) + gap_below, row_width));
  };
  std::vector<at::Tensor> heads;
  for (size_t column = 0; column < columns; ++column)
    heads.push_back(draw_label(label_at(layout.column_labels, column), cell_width));
  add_band(beside(heads, layout.gap), 2);
  for (size_t row = 0; row * columns < cells.size(); ++row) {
    add_band(draw_label(label_at(layout.row_labels, row), row_width), 2);
    std::vector<at::Tensor> blocks;
    for (size_t i = row * columns; i < std::min(cells.size(), (row + 1) * columns); ++i) {
      const at::Tensor picture = padded(cells[i].picture, cells[i].picture.size(1), cell_width);
      blocks.push_back(at::cat({picture, draw_label(cells[i].label, cell_width)}, 1));
    }
    add_band(beside(blocks, layout.gap), layout.gap);
  }
  return at::constant_pad_nd(at::cat(bands, 1), {layout.gap, 0, layout.gap, 0}, 1);
}

}  // namespace lightswitch::contact_sheet
