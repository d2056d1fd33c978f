#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace lightswitch::contact_sheet {

struct Cell {
  at::Tensor picture;  ///< [3, H, W] in [0, 1]
  std::string label;   ///< drawn below the picture; may be empty
};

struct Layout {
  int64_t columns = 4;
  int64_t gap = 8;                         ///< white pixels between and around cells
  std::vector<std::string> column_labels;  ///< above the first row
  std::vector<std::string> row_labels;     ///< above each row, over its whole width
};

/// A grid, row by row; every column is as wide as the widest picture. @return [3, H, W].
at::Tensor lay_out(const std::vector<Cell>& cells, const Layout& layout);

}  // namespace lightswitch::contact_sheet
