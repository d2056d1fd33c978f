#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <iosfwd>
#include <string>
#include <vector>

#include "cli/comparison.hpp"

/// What the pages of `compare` are made of.
namespace lightswitch::cli {

/// How many times differences are enlarged before they are shown.
inline constexpr double kDifferenceGain = 8;
inline constexpr int64_t kCropEdge = 128;

/// Text as HTML.
std::string escaped(const std::string& text);

/// Printed by a format for one double; "equal" for infinity.
std::string number(const char* format, double value);

/// Pictures as the page holds them: PNG files on the way, since that is what the media room writes.
class Page {
 public:
  explicit Page(const std::filesystem::path& folder) : scratch_(folder / ".picture.png") {}
  ~Page();
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;

  /// An img element of a class `kind` that needs no other file.
  std::string image(const at::Tensor& picture, const std::string& alt, const char* kind) const;

 private:
  std::filesystem::path scratch_;
};

void begin_page(std::ostream& out, const std::string& title = "Decoders compared");
void end_page(std::ostream& out);

/// One row for each decoder: scores and costs. @param unit what ms and GMAC are of, where that needs saying: "a frame".
void write_table(const std::vector<ComparedDecoder>& decoders, const std::string& unit, std::ostream& out);

}  // namespace lightswitch::cli
