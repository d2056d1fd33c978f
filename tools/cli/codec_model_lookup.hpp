#pragma once

#include <lightswitch/audio/codec_model.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace lightswitch::cli {

/// A model of the codec: a file or folder as given, or a name among the models that are shipped; `speech` without one.
/// @throws FileError listing where it was looked for, and as CodecModel::open().
std::shared_ptr<const audio::CodecModel> open_codec_model(const std::string& given);

/// CodecModel::stages_for(). @throws UsageError naming the nearest rates.
int64_t stages_for(int64_t bitrate, const audio::CodecModel& model, int64_t channels);

}  // namespace lightswitch::cli
