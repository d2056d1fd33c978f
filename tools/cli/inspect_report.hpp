#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/session.hpp"

namespace lightswitch::cli {

/// What a path is and what is wrong with it: `type` (weights, latents, package, torchscript, picture, plugin, folder or
/// unknown), facts of that type, and `problems`, a list of messages that is empty for a sound file. A plug-in may be
/// named as a SPEC names it, with weights and options.
/// @param as name of the family to take a weight file for; empty to recognise it. @throws FileError when there is no
/// such path.
nlohmann::ordered_json inspect_path(const std::filesystem::path& path, const std::string& as, Session& session);

}  // namespace lightswitch::cli
