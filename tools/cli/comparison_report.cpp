#include <ATen/ATen.h>
#include <lightswitch/media/image_io.hpp>

#include <algorithm>
#include <ostream>

#include "cli/comparison.hpp"
#include "cli/report_page.hpp"
#include "contact_sheet/sheet.hpp"
#include "core/atomic_file.hpp"

namespace lightswitch::cli {
namespace {

void write_row(const Comparison& comparison, const ComparedPicture& picture, const Page& page, std::ostream& out) {
  const Crop crop = worst_crop(picture, kCropEdge);
  const bool is_part = crop.height < picture.reference.size(1) || crop.width < picture.reference.size(2);
  const auto crop_of = [&](const at::Tensor& whole, const std::string& name) {
    return is_part ? page.image(crop.of(whole), name + ", crop", "crop") : std::string();
  };
  out << "<h2>" << escaped(picture.name) << "</h2>\n<div class=\"row\">\n<figure><figcaption>"
      << escaped(comparison.reference) << "</figcaption>\n"
      << page.image(picture.reference, "reference", "whole") << crop_of(picture.reference, "reference")
      << "</figure>\n";
  for (size_t i = 0; i < picture.decoded.size(); ++i) {
    const std::string& name = comparison.decoders[i].spec;
    out << "<figure><figcaption>" << escaped(name) << "</figcaption>\n"
        << page.image(picture.decoded[i], name, "whole") << crop_of(picture.decoded[i], name)
        << page.image(difference_map(picture.decoded[i], picture.reference, kDifferenceGain), name + ", difference",
                      "whole")
        << "</figure>\n";
  }
  out << "</div>\n";
}

void write_page(const Comparison& comparison, int64_t shown, const std::filesystem::path& folder) {
  const Page page(folder);
  write_stream_atomically(folder / "index.html", [&](std::ostream& out) {
    begin_page(out);
    out << "<p>" << escaped(comparison.input) << ": " << comparison.pictures.size()
        << (comparison.pictures.size() == 1 ? " picture" : " pictures") << ". Scores against "
        << escaped(comparison.reference) << "; ms: one picture, fastest of " << comparison.repeat
        << ". Below each picture: the " << kCropEdge
        << "-pixel square where the decoders differ most, enlarged, where it is larger than that, and the difference, "
        << kDifferenceGain << " times.</p>\n";
    write_table(comparison.decoders, "", out);
    const size_t count = std::min(static_cast<size_t>(shown), comparison.pictures.size());
    for (size_t i = 0; i < count; ++i) write_row(comparison, comparison.pictures[i], page, out);
    if (count < comparison.pictures.size())
      out << "<p><small>The first " << count << " of " << comparison.pictures.size() << " pictures.</small></p>\n";
    end_page(out);
  });
}

void write_sheet(const Comparison& comparison, int64_t shown, const std::filesystem::path& folder) {
  contact_sheet::Layout layout;
  layout.columns = static_cast<int64_t>(comparison.decoders.size()) + 1;
  layout.column_labels.push_back(comparison.reference);
  for (const ComparedDecoder& decoder : comparison.decoders)
    layout.column_labels.push_back(decoder.spec + ": " + number("%.2f dB", decoder.psnr) + ", " +
                                   number("%.1f ms", decoder.ms));
  std::vector<contact_sheet::Cell> cells;
  const size_t count = std::min(static_cast<size_t>(shown), comparison.pictures.size());
  for (size_t i = 0; i < count; ++i) {
    const ComparedPicture& picture = comparison.pictures[i];
    const Crop crop = worst_crop(picture, kCropEdge);
    cells.push_back({crop.of(picture.reference), picture.name});
    for (const at::Tensor& decoded : picture.decoded) cells.push_back({crop.of(decoded), ""});
    cells.push_back({at::ones({3, 1, 1}), ""});
    for (const at::Tensor& decoded : picture.decoded)
      cells.push_back({crop.of(difference_map(decoded, picture.reference, kDifferenceGain)), ""});
  }
  write_image(folder / "sheet.png", contact_sheet::lay_out(cells, layout));
}

}  // namespace

void write_report(const Comparison& comparison, int64_t shown, const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  write_sheet(comparison, shown, folder);
  write_page(comparison, shown, folder);
}

}  // namespace lightswitch::cli
