#include "cli/metric_inputs.hpp"

#include <lightswitch/error.hpp>
#include <lightswitch/media/image_io.hpp>
#include <lightswitch/media/video_io.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>

#include "core/nearest_word.hpp"

namespace lightswitch::cli {
namespace {

const std::vector<std::string> kSounds{".wav", ".flac", ".ogg", ".aiff", ".aif", ".au"};

std::optional<MetricKind> kind_of(const std::filesystem::path& file) {
  std::string ending = file.extension().string();
  std::ranges::transform(ending, ending.begin(), [](unsigned char c) { return std::tolower(c); });
  if (is_image_name(file)) return MetricKind::pictures;
  if (is_video_name(file)) return MetricKind::clips;
  if (std::ranges::count(kSounds, ending) > 0) return MetricKind::sounds;
  if (ending == ".safetensors") return MetricKind::statistics;
  return {};
}

std::string known_endings() {
  std::vector<std::string> all = image_extensions();
  all.insert(all.end(), video_extensions().begin(), video_extensions().end());
  all.insert(all.end(), kSounds.begin(), kSounds.end());
  all.push_back(".safetensors");
  return "files that end in " + join_words(all);
}

/// By name without ending; a second file of a name is an error.
std::map<std::string, std::filesystem::path> by_stem(const MetricInput& input) {
  std::map<std::string, std::filesystem::path> files;
  for (const auto& file : input.files) {
    const auto [known, added] = files.emplace(file.stem().string(), file);
    if (!added)
      throw FileError("two files of one name cannot be matched",
                      {input.path.string(), "", "one " + known->first,
                       known->second.filename().string() + " and " + file.filename().string()});
  }
  return files;
}

/// The first few, and how many more.
std::string listed(const std::vector<std::string>& names) {
  constexpr size_t kShown = 10;
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kShown); ++i) text += (i > 0 ? ", " : "") + names[i];
  if (names.size() > kShown) text += " and " + std::to_string(names.size() - kShown) + " more";
  return text;
}

}  // namespace

const char* to_string(MetricKind kind) {
  switch (kind) {
    case MetricKind::pictures:
      return "pictures";
    case MetricKind::clips:
      return "clips";
    case MetricKind::sounds:
      return "sounds";
    case MetricKind::statistics:
      return "feature statistics";
  }
  return "";
}

MetricInput metric_input(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path))
    throw FileError("cannot open", {path.string(), "", "a file or a folder", "nothing"});
  MetricInput input{path, {}, {}, std::filesystem::is_directory(path)};
  if (!input.folder) {
    const auto kind = kind_of(path);
    if (!kind) throw FormatError("not a name of something to measure", {path.string(), "", known_endings(), ""});
    input.kind = *kind;
    input.files = {path};
    return input;
  }
  std::map<MetricKind, std::vector<std::filesystem::path>> found;
  for (const auto& entry : std::filesystem::directory_iterator(path))
    if (const auto kind = kind_of(entry.path()); kind && entry.is_regular_file()) found[*kind].push_back(entry.path());
  if (found.empty()) throw FileError("nothing to measure in this folder", {path.string(), "", known_endings(), "none"});
  if (found.size() > 1)
    throw FormatError("files of several kinds",
                      {path.string(), "", "pictures, clips, sounds or feature statistics",
                       std::string(to_string(found.begin()->first)) + " and " + to_string(found.rbegin()->first)});
  input.kind = found.begin()->first;
  input.files = std::move(found.begin()->second);
  std::ranges::sort(input.files);
  return input;
}

std::vector<MatchedFiles> matched(const MetricInput& first, const MetricInput& second) {
  if (first.folder != second.folder)
    throw OptionError("a file and a folder are not compared",
                      {"", "B", first.folder ? "a folder" : "a file", second.folder ? "a folder" : "a file"});
  if (!first.folder) return {{first.path.filename().string(), first.path, second.path}};
  const auto a = by_stem(first), b = by_stem(second);
  std::vector<MatchedFiles> pairs;
  std::vector<std::string> only_a, only_b;
  for (const auto& [stem, file] : a) {
    const auto other = b.find(stem);
    if (other == b.end())
      only_a.push_back(file.filename().string());
    else
      pairs.push_back({file.filename().string(), file, other->second});
  }
  for (const auto& [stem, file] : b)
    if (!a.contains(stem)) only_b.push_back(file.filename().string());
  if (!only_a.empty() || !only_b.empty()) {
    std::string found;
    if (!only_a.empty()) found = "only in " + first.path.string() + ": " + listed(only_a);
    if (!only_b.empty())
      found += (found.empty() ? "" : "; ") + ("only in " + second.path.string() + ": " + listed(only_b));
    throw FileError("files without a counterpart (--sets compares sets of any names by their Fréchet distance)",
                    {"", "", "the same names in both folders", found});
  }
  return pairs;
}

}  // namespace lightswitch::cli
