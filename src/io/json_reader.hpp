#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace lightswitch {

/// Reads a JSON file of at most 64 MiB. @throws FileError, FormatError with the position of the mistake.
nlohmann::json read_json(const std::filesystem::path& file);

/// One level of a JSON object with errors that name file and key. Keys are written as paths ("parts.denoiser.file").
class JsonObject {
 public:
  JsonObject(const nlohmann::json& value, std::string file, std::string path);

  bool has(const std::string& key) const { return value_->contains(key); }
  const nlohmann::json& raw() const { return *value_; }
  std::string path(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }

  JsonObject object(const std::string& key) const;
  std::string text(const std::string& key) const;
  std::string text(const std::string& key, const std::string& fallback) const;
  /// @param low smallest allowed value.
  int64_t integer(const std::string& key, int64_t low) const;
  double number(const std::string& key) const;
  /// A list of strings.
  std::vector<std::string> texts(const std::string& key) const;
  std::vector<std::string> keys() const;
  /// @throws FormatError naming the first key outside `known` and the nearest known one.
  void allow_only(const std::vector<std::string>& known) const;

 private:
  const nlohmann::json& at(const std::string& key, const char* expected) const;
  [[noreturn]] void wrong(const std::string& key, const std::string& expected, const std::string& found) const;

  const nlohmann::json* value_;
  std::string file_, path_;
};

}  // namespace lightswitch
