#include "cli/chart_svg.hpp"

#include <sstream>

#include "cli/report_page.hpp"

namespace lightswitch::cli {

std::string chart_svg(const contact_sheet::Chart& chart, int64_t width, int64_t height) {
  using contact_sheet::ChartLayout;
  const ChartLayout layout(chart, width, height);
  std::ostringstream out;
  const auto words = [&](double x, double y, const char* anchor, const std::string& text) {
    out << "<text x=\"" << x << "\" y=\"" << y << "\" text-anchor=\"" << anchor << "\">" << escaped(text)
        << "</text>\n";
  };
  out << "<svg width=\"" << width << "\" height=\"" << height << "\" viewBox=\"0 0 " << width << ' ' << height
      << "\" role=\"img\" font-size=\"12\" fill=\"#1b1b1b\">\n";
  words(static_cast<double>(layout.left()), 14, "start", chart.title);
  for (const double value : {0.0, layout.top() / 2, layout.top()}) {
    const auto place = layout.at(0, value);
    out << "<path stroke=\"#ddd\" d=\"M" << place.x << ' ' << place.y << "H" << layout.right() << "\"/>\n";
    words(place.x - 6, place.y + 4, "end", ChartLayout::text(value));
  }
  for (size_t i = 0; i < chart.curves.size(); ++i) {
    const auto colour = ChartLayout::colour(i);
    const std::vector<ChartLayout::Point> points = layout.line(chart.curves[i]);
    out << "<g stroke=\"rgb(" << colour[0] << ',' << colour[1] << ',' << colour[2] << ")\">"
        << "<title>" << escaped(chart.curves[i].name)
        << "</title><polyline fill=\"none\" stroke-width=\"1.5\" points=\"";
    for (const auto& point : points) out << point.x << ',' << point.y << ' ';
    out << "\"/>";
    if (points.size() == 1) out << "<circle r=\"2\" cx=\"" << points[0].x << "\" cy=\"" << points[0].y << "\"/>";
    out << "</g>\n";
  }
  const double below = layout.at(0, 0).y + 16;
  words(static_cast<double>(layout.left()), below, "start", std::to_string(chart.first));
  if (layout.steps() > 1)
    words(static_cast<double>(layout.right()), below, "end",
          std::to_string(chart.first + static_cast<int64_t>(layout.steps()) - 1));
  out << "</svg>\n<p class=\"legend\">";
  for (size_t i = 0; i < chart.curves.size(); ++i) {
    const auto colour = ChartLayout::colour(i);
    out << "<span style=\"color:rgb(" << colour[0] << ',' << colour[1] << ',' << colour[2] << ")\">■</span> "
        << escaped(chart.curves[i].name) << " &nbsp; ";
  }
  out << "</p>\n";
  return out.str();
}

}  // namespace lightswitch::cli
