#include "batch/spec_weights.hpp"

#include <lightswitch/decoder_spec.hpp>
#include <lightswitch/plugin_host.hpp>

#include <algorithm>
#include <filesystem>

#include "core/sha256.hpp"

namespace lightswitch {
namespace {

/// A file's hash, or one over names and hashes of a folder's files.
std::string content_sha256(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return sha256_file(path);
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(path))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::ranges::sort(files);
  std::string text;
  for (const auto& file : files) text += file.filename().string() + " " + sha256_file(file) + "\n";
  return sha256(text);
}

std::string weights_of_source(const std::string& source, const std::vector<std::string>& packaged) {
  if (const auto plugin = PluginSource::parse(source)) {
    const std::string weights = plugin->weights.empty() ? "" : content_sha256(plugin->weights);
    return sha256_file(plugin->plugin) + " " + weights;
  }
  const bool is_file = std::ranges::find(packaged, source) == packaged.end() && std::filesystem::exists(source);
  return is_file ? content_sha256(source) : "package";
}

}  // namespace

std::string weights_of_spec(const std::string& spec, const std::vector<std::string>& packaged) {
  const NetworkSpec parsed = NetworkSpec::parse(spec);
  std::string weights = weights_of_source(parsed.source, packaged);
  for (const char* part : {"light", "heavy", "gate"})
    if (const auto named = parsed.options.find(part); named != parsed.options.end())
      weights += " " + weights_of_source(named->second, packaged);
  return weights;
}

}  // namespace lightswitch
