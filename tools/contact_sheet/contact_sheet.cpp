// contact_sheet: pictures side by side on one labelled sheet, to be looked at.

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/media/image_io.hpp>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>

#include "contact_sheet/sheet.hpp"

namespace {

using namespace lightswitch;
namespace sheet = lightswitch::contact_sheet;

/// `FILE` or `FILE=LABEL`; a folder stands for its pictures, each labelled by its name.
void add_cells(const std::string& argument, int64_t scale, std::vector<sheet::Cell>& cells) {
  const size_t equals = argument.find('=');
  const std::filesystem::path path = argument.substr(0, equals);
  const auto add = [&](const std::filesystem::path& file, const std::string& label) {
    cells.push_back({read_image(file).repeat_interleave(scale, 1).repeat_interleave(scale, 2), label});
  };
  if (!std::filesystem::is_directory(path))
    return add(path, equals == std::string::npos ? "" : argument.substr(equals + 1));
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(path))
    if (entry.is_regular_file() && is_image_name(entry.path())) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const auto& file : files) add(file, file.stem().string());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Lays pictures out on one labelled sheet", "contact_sheet");
  sheet::Layout layout;
  int64_t scale = 1;
  std::string output;
  std::vector<std::string> inputs;
  app.add_option("-o,--output", output, "The sheet, a picture file")->type_name("FILE")->required();
  app.add_option("--columns", layout.columns, "Pictures in a row (default: 4)")
      ->type_name("N")
      ->check(CLI::Range(1, 1000));
  app.add_option("--scale", scale, "Enlarge every picture this many times, pixels kept sharp (default: 1)")
      ->type_name("N")
      ->check(CLI::Range(1, 64));
  app.add_option("--column-label", layout.column_labels, "Text above a column; repeat for the next column")
      ->type_name("TEXT")
      ->allow_extra_args(false);
  app.add_option("--row-label", layout.row_labels, "Text above a row; repeat for the next row")
      ->type_name("TEXT")
      ->allow_extra_args(false);
  app.add_option("pictures", inputs,
                 "Pictures, FILE or FILE=LABEL, row by row; a folder stands for all of its pictures")
      ->type_name("FILE[=LABEL]")
      ->required();
  CLI11_PARSE(app, argc, argv);
  try {
    std::vector<sheet::Cell> cells;
    for (const std::string& input : inputs) add_cells(input, scale, cells);
    if (cells.empty()) throw FileError("nothing to lay out", {inputs.front(), "", "pictures", "none"});
    write_image(output, sheet::lay_out(cells, layout));
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 1;
  }
}
