#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace lightswitch::cli {

/// What an input of `metrics` holds, told by the names of its files.
enum class MetricKind { pictures, clips, sounds, statistics };
const char* to_string(MetricKind kind);

/// A file, or the files of a folder (not of folders inside it) by name.
struct MetricInput {
  std::filesystem::path path;
  MetricKind kind = MetricKind::pictures;
  std::vector<std::filesystem::path> files;
  bool folder = false;
};

/// @throws FileError for what is not there and for a folder without any files of use, FormatError for a name that says
/// nothing and for a folder of several kinds.
MetricInput metric_input(const std::filesystem::path& path);

struct MatchedFiles {
  std::string name;
  std::filesystem::path first, second;
};

/// Two files; or of two folders those with the same name but for its ending.
/// @throws FileError listing the names that only one folder has, or one folder twice; OptionError for a file and a
/// folder.
std::vector<MatchedFiles> matched(const MetricInput& first, const MetricInput& second);

}  // namespace lightswitch::cli
