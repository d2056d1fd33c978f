#pragma once

#include <string>
#include <vector>

namespace lightswitch {

/// Hashes of the files that a decoder's SPEC names, its plug-in's and those of a pair's halves and gate included;
/// "package" stands for what is part of the model, whose own hash tells it.
/// @param packaged the model's names, which win over files that are called so. @throws FileError, OptionError.
std::string weights_of_spec(const std::string& spec, const std::vector<std::string>& packaged);

}  // namespace lightswitch
