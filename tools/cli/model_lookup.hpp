#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace lightswitch::cli {

/// Folders that hold model packages, in the order in which they are searched: $LIGHTSWITCH_MODELS, the source tree that
/// the program was built in, the prefix that it was installed under.
std::vector<std::filesystem::path> model_roots();

/// The folder of a model package. `given` is a folder, or the name of a package in one of model_roots(); empty means
/// `scenes`.
/// @throws FileError listing where it was looked for.
std::filesystem::path find_model(const std::string& given);

}  // namespace lightswitch::cli
