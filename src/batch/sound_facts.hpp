#pragma once

#include <lightswitch/batch/manifest.hpp>
#include <lightswitch/batch/results.hpp>
#include <lightswitch/batch/settings.hpp>

#include <nlohmann/json.hpp>
#include <string>

namespace lightswitch {

/// Everything that determines what is made of an item of sound, but lightswitch's own version. Reads the file.
/// @throws FileError, OptionError.
nlohmann::ordered_json sound_facts(const BatchItem& item, const SoundSettings& settings);

/// What made an item of sound, as JSON on one line, for formats that have a place for it. @throws as sound_facts().
std::string describe_sound(const BatchItem& item, const ItemResult& result, const BatchSettings& settings);

}  // namespace lightswitch
