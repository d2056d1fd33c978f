#include <ATen/ATen.h>
#include <lightswitch/media/image_io.hpp>

#include <algorithm>
#include <ostream>

#include "cli/chart_svg.hpp"
#include "cli/clip_comparison.hpp"
#include "cli/report_page.hpp"
#include "contact_sheet/sheet.hpp"
#include "core/atomic_file.hpp"

namespace lightswitch::cli {
namespace {

constexpr int64_t kGap = 4, kChartWidth = 800, kChartHeight = 220;

/// Frames [S, 3, H, W] side by side at their own size.
at::Tensor filmstrip(const at::Tensor& frames) {
  const at::Tensor apart = at::constant_pad_nd(frames, {0, kGap}, 1);
  const at::Tensor strip = apart.permute({1, 2, 0, 3}).flatten(2);
  return strip.narrow(2, 0, strip.size(2) - kGap);
}

/// Of each frame.
at::Tensor difference_maps(const at::Tensor& frames, const at::Tensor& reference) {
  std::vector<at::Tensor> maps;
  for (int64_t i = 0; i < frames.size(0); ++i) maps.push_back(difference_map(frames[i], reference[i], kDifferenceGain));
  return at::stack(maps);
}

std::string in_words(const ClipScores& scores) {
  return number("%.2f dB", scores.psnr) + ", SSIM " + number("%.4f", scores.ssim) +
         (scores.lpips ? ", LPIPS " + number("%.4f", *scores.lpips) : "") +
         (scores.flicker ? ", flicker " + number("%.2f", *scores.flicker * kLevels) : "");
}

std::string shown_frames(const ComparedClip& clip) {
  std::string text = std::to_string(clip.frames) + (clip.frames == 1 ? " frame; shown:" : " frames; shown:");
  for (const int64_t index : clip.shown) text += " " + std::to_string(index);
  return text;
}

size_t shown_clips(const ClipComparison& comparison, int64_t shown) {
  return std::min(static_cast<size_t>(shown), comparison.clips.size());
}

void write_clip(const ClipComparison& comparison, const ComparedClip& clip, const Page& page, std::ostream& out) {
  const auto strip = [&](const std::string& caption, const std::vector<at::Tensor>& strips) {
    out << "<figure class=\"strip\"><figcaption>" << escaped(caption) << "</figcaption>\n";
    for (const at::Tensor& frames : strips)
      out << "<div class=\"wide\">" << page.image(filmstrip(frames), caption, "frames") << "</div>\n";
    out << "</figure>\n";
  };
  out << "<h2>" << escaped(clip.name) << "</h2>\n<p>" << shown_frames(clip) << "</p>\n";
  strip(comparison.reference, {clip.reference});
  for (size_t i = 0; i < clip.decoded.size(); ++i) {
    const DecodedClip& decoded = clip.decoded[i];
    strip(comparison.decoders[i].spec + ": " + in_words(decoded.scores),
          {decoded.shown, difference_maps(decoded.shown, clip.reference)});
  }
  if (clip.frames > 1) out << chart_svg(flicker_chart(comparison, clip), kChartWidth, kChartHeight);
}

void write_page(const ClipComparison& comparison, int64_t shown, const std::filesystem::path& folder) {
  const Page page(folder);
  write_stream_atomically(folder / "index.html", [&](std::ostream& out) {
    begin_page(out);
    out << "<p>" << escaped(comparison.input) << ": " << comparison.clips.size()
        << (comparison.clips.size() == 1 ? " clip" : " clips") << ". Scores against " << escaped(comparison.reference)
        << "; ms: a frame, fastest decode of " << comparison.repeat << ". Flicker: by how many of " << kLevels
        << " levels the change from each frame to the next is off, mean. Below each filmstrip: the difference, "
        << kDifferenceGain << " times.</p>\n";
    write_table(comparison.decoders, " a frame", out);
    out << "<ul>\n";
    for (size_t i = 0; i < comparison.decoders.size(); ++i) {
      const ClipWay& way = comparison.ways[i];
      out << "<li>" << escaped(comparison.decoders[i].spec) << ": "
          << (way.knows_time ? std::to_string(way.chunk) + " latents at once" +
                                   (way.depends_on_chunks ? ", which its frames depend on" : "")
                             : "a decoder of pictures, every frame alone")
          << "</li>\n";
    }
    out << "</ul>\n";
    const size_t count = shown_clips(comparison, shown);
    for (size_t i = 0; i < count; ++i) write_clip(comparison, comparison.clips[i], page, out);
    if (count < comparison.clips.size())
      out << "<p><small>The first " << count << " of " << comparison.clips.size() << " clips.</small></p>\n";
    end_page(out);
  });
}

/// Where the decoders differ most over all shown frames.
Crop worst_crop(const ComparedClip& clip) {
  ComparedPicture all{"", clip.reference.flatten(0, 1), {}};  // frames as channels: a crop looks at places alone
  for (const DecodedClip& decoded : clip.decoded) all.decoded.push_back(decoded.shown.flatten(0, 1));
  return worst_crop(all, kCropEdge);
}

void add_clip(const ClipComparison& comparison, const ComparedClip& clip, std::vector<at::Tensor>& sheets) {
  const Crop crop = worst_crop(clip);
  contact_sheet::Layout layout;
  layout.columns = static_cast<int64_t>(clip.shown.size());
  layout.gap = kGap;
  std::vector<contact_sheet::Cell> cells;
  const auto add_row = [&](const std::string& label, const at::Tensor& frames) {
    layout.row_labels.push_back(label);
    for (const at::Tensor& frame : frames.unbind()) cells.push_back({crop.of(frame), ""});
  };
  add_row(clip.name + ", " + shown_frames(clip) + ". " + comparison.reference + ":", clip.reference);
  for (size_t i = 0; i < clip.decoded.size(); ++i) {
    const DecodedClip& decoded = clip.decoded[i];
    const ComparedDecoder& decoder = comparison.decoders[i];
    add_row(decoder.spec + ": " + in_words(decoded.scores) + ", " + number("%.1f ms a frame", decoder.ms),
            decoded.shown);
    add_row("", difference_maps(decoded.shown, clip.reference));
  }
  sheets.push_back(contact_sheet::lay_out(cells, layout));
  if (clip.frames > 1)
    sheets.push_back(contact_sheet::draw_chart(flicker_chart(comparison, clip), kChartWidth, kChartHeight));
}

void write_sheet(const ClipComparison& comparison, int64_t shown, const std::filesystem::path& folder) {
  std::vector<at::Tensor> sheets;
  for (size_t i = 0; i < shown_clips(comparison, shown); ++i) add_clip(comparison, comparison.clips[i], sheets);
  int64_t width = 0;
  for (const at::Tensor& sheet : sheets) width = std::max(width, sheet.size(2));
  for (at::Tensor& sheet : sheets) sheet = at::constant_pad_nd(sheet, {0, width - sheet.size(2)}, 1);
  write_image(folder / "sheet.png", at::cat(sheets, 1));
}

}  // namespace

void write_report(const ClipComparison& comparison, int64_t shown, const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  write_sheet(comparison, shown, folder);
  write_page(comparison, shown, folder);
}

}  // namespace lightswitch::cli
