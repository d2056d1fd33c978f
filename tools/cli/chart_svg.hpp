#pragma once

#include <cstdint>
#include <string>

#include "contact_sheet/chart.hpp"

namespace lightswitch::cli {

/// An svg element for a page, which needs nothing else, and a line that says which curve is which.
std::string chart_svg(const contact_sheet::Chart& chart, int64_t width, int64_t height);

}  // namespace lightswitch::cli
