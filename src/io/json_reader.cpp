#include "io/json_reader.hpp"

#include <lightswitch/error.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "core/nearest_word.hpp"

namespace lightswitch {

nlohmann::json read_json(const std::filesystem::path& file) {
  std::error_code code;
  const auto size = std::filesystem::file_size(file, code);
  if (code) throw FileError("cannot read", {file.string(), "", "a JSON file", code.message()});
  if (size > (64u << 20))
    throw FormatError("too large for a JSON file",
                      {file.string(), "", "at most 64 MiB", std::to_string(size) + " bytes"});
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw FileError("cannot read", {file.string(), "", "a JSON file", "no permission"});
  try {
    return nlohmann::json::parse(stream);
  } catch (const nlohmann::json::exception& error) {
    throw FormatError("malformed JSON", {file.string(), "", "", error.what()});
  }
}

JsonObject::JsonObject(const nlohmann::json& value, std::string file, std::string path)
    : value_(&value), file_(std::move(file)), path_(std::move(path)) {
  if (!value.is_object()) throw FormatError("wrong type", {file_, path_, "an object", value.type_name()});
}

void JsonObject::wrong(const std::string& key, const std::string& expected, const std::string& found) const {
  throw FormatError("unusable value", {file_, path(key), expected, found});
}

const nlohmann::json& JsonObject::at(const std::string& key, const char* expected) const {
  const auto entry = value_->find(key);
  if (entry == value_->end()) wrong(key, expected, "nothing");
  return *entry;
}

JsonObject JsonObject::object(const std::string& key) const {
  return {at(key, "an object"), file_, path(key)};
}

std::string JsonObject::text(const std::string& key) const {
  const auto& value = at(key, "a string");
  if (!value.is_string()) wrong(key, "a string", value.dump());
  return value.get<std::string>();
}

std::string JsonObject::text(const std::string& key, const std::string& fallback) const {
  return has(key) ? text(key) : fallback;
}

int64_t JsonObject::integer(const std::string& key, int64_t low) const {
  const auto& value = at(key, "an integer");
  const std::string expected = "an integer of at least " + std::to_string(low);
  if (!value.is_number_integer() || (value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX))
    wrong(key, expected, value.dump());
  if (value.get<int64_t>() < low) wrong(key, expected, value.dump());
  return value.get<int64_t>();
}

double JsonObject::number(const std::string& key) const {
  const auto& value = at(key, "a number");
  if (!value.is_number() || !std::isfinite(value.get<double>())) wrong(key, "a finite number", value.dump());
  return value.get<double>();
}

std::vector<std::string> JsonObject::texts(const std::string& key) const {
  const auto& value = at(key, "a list of strings");
  if (!value.is_array() || !std::ranges::all_of(value, [](const auto& item) { return item.is_string(); }))
    wrong(key, "a list of strings", value.dump());
  return value.get<std::vector<std::string>>();
}

std::vector<std::string> JsonObject::keys() const {
  std::vector<std::string> names;
  for (const auto& [key, item] : value_->items()) names.push_back(key);
  return names;
}

void JsonObject::allow_only(const std::vector<std::string>& known) const {
  for (const std::string& key : keys()) {
    if (std::ranges::find(known, key) != known.end()) continue;
    const std::string nearest = nearest_word(key, known);
    throw FormatError("unknown key",
                      {file_, path(key), nearest.empty() ? join_words(known) : "perhaps " + nearest, key});
  }
}

}  // namespace lightswitch
