#pragma once

#include <lightswitch/batch/sounds.hpp>

#include <memory>

#include "cli/batch_job.hpp"

namespace lightswitch::cli {

/// What the command line says about sounds, but for the model. @throws UsageError.
SoundSettings sound_settings(const BatchArguments& arguments);

/// Opens the codec that was named, and puts its identity into the settings; null where none was.
/// @throws as open_codec_model().
std::unique_ptr<const SoundMaker> open_sounds(const BatchArguments& arguments, SoundSettings& settings);

}  // namespace lightswitch::cli
