#pragma once

#include <cstdint>
#include <string>

#include "cli/common_options.hpp"

namespace lightswitch::cli {

/// Each adds one subcommand whose callback sets `job`.
void add_image_command(CLI::App& app, CommonOptions& common, Job& job);
void add_video_command(CLI::App& app, CommonOptions& common, Job& job);
void add_decode_command(CLI::App& app, CommonOptions& common, Job& job);
void add_encode_command(CLI::App& app, CommonOptions& common, Job& job);
void add_calibrate_command(CLI::App& app, CommonOptions& common, Job& job);
void add_compare_command(CLI::App& app, CommonOptions& common, Job& job);
void add_decoders_command(CLI::App& app, CommonOptions& common, Job& job);
void add_inspect_command(CLI::App& app, CommonOptions& common, Job& job);
void add_batch_command(CLI::App& app, CommonOptions& common, Job& job);
void add_verify_command(CLI::App& app, CommonOptions& common, Job& job);
void add_metrics_command(CLI::App& app, CommonOptions& common, Job& job);
/// Where the audio room is built.
void add_codec_command(CLI::App& app, CommonOptions& common, Job& job);

}  // namespace lightswitch::cli
