#pragma once

#include <lightswitch/media/image_io.hpp>
#include <lightswitch/text_to_image.hpp>

#include <string>

#include "cli/report.hpp"

namespace lightswitch::cli {

/// What made picture `index` of a request, as text for its PNG: `parameters` as stable-diffusion-webui writes them,
/// `lightswitch` with everything as JSON.
ImageText picture_metadata(const TextToImageOptions& options, int64_t index, const std::string& model,
                           const RunReport& report, const CommonOptions& common);

}  // namespace lightswitch::cli
