#include "cli/output_names.hpp"

#include <lightswitch/media/image_io.hpp>
#include <lightswitch/media/video_io.hpp>

#include <cctype>

#include "cli/common_options.hpp"
#include "core/nearest_word.hpp"

namespace lightswitch::cli {
namespace {

struct Pattern {
  std::string before, after;
  size_t digits = 0;
  bool has_index = false;
};

Pattern parse(const std::string& text) {
  Pattern pattern;
  for (size_t i = 0; i < text.size(); ++i) {
    std::string& part = pattern.has_index ? pattern.after : pattern.before;
    if (text[i] != '%') {
      part += text[i];
      continue;
    }
    size_t end = i + 1;
    while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end]))) ++end;
    const std::string width = text.substr(i + 1, end - i - 1);
    const bool percent = end < text.size() && text[end] == '%' && width.empty();
    const bool index = end < text.size() && text[end] == 'd' && width.size() <= 2 && !pattern.has_index;
    if (!percent && !index)
      throw UsageError("unusable pattern", {"", "--output", "one %d or %04d, or %% for a percent sign", text});
    if (percent) {
      part += '%';
    } else {
      pattern.has_index = true;
      pattern.digits = width.empty() ? 0 : std::stoul(width);
    }
    i = end;
  }
  return pattern;
}

}  // namespace

std::string picture_pattern(const std::string& output) {
  if (!std::filesystem::is_directory(output) || is_image_name(output)) return output;
  std::string folder;
  for (const char letter : output) folder += letter == '%' ? "%%" : std::string(1, letter);
  return (std::filesystem::path(folder) / "%04d.png").string();
}

std::vector<std::filesystem::path> output_names(const std::string& pattern, int64_t count) {
  const Pattern parsed = parse(pattern);
  std::vector<std::filesystem::path> names;
  for (int64_t i = 0; i < count; ++i) {
    if (parsed.has_index) {
      std::string index = std::to_string(i);
      if (index.size() < parsed.digits) index.insert(0, parsed.digits - index.size(), '0');
      names.emplace_back(parsed.before + index + parsed.after);
    } else {
      std::filesystem::path name(parsed.before);
      if (i > 0) name.replace_filename(name.stem().string() + "_" + std::to_string(i + 1) + name.extension().string());
      names.push_back(name);
    }
  }
  return names;
}

std::filesystem::path latents_beside(const std::string& output) {
  if (picture_pattern(output) != output) return std::filesystem::path(output) / "clip.latents.safetensors";
  const std::string name = is_video_name(output) ? output : output_names(output, 1).front().string();
  return name + ".latents.safetensors";
}

void check_picture_target(const std::string& pattern) {
  const auto name = output_names(pattern, 1).front();
  if (!is_image_name(name))
    throw UsageError("unknown kind of picture",
                     {"", "--output", "a name that ends in one of " + join_words(image_extensions()), pattern});
  check_folder_of(name);
}

void check_folder_of(const std::filesystem::path& file) {
  const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  if (!std::filesystem::is_directory(folder))
    throw FileError("cannot write there", {file.string(), "", "an existing folder", folder.string()});
}

}  // namespace lightswitch::cli
