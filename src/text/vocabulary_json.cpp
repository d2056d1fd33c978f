#include "text/vocabulary_json.hpp"

#include <lightswitch/error.hpp>

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "text/shown.hpp"
#include "text/vocabulary_file.hpp"

namespace lightswitch::text {
namespace {

/// Takes the parser's events one by one: unlike a parsed document it sees a key that stands there twice.
class VocabularyEvents {
 public:
  VocabularyEvents(std::string file, TokenIds& ids) : file_(std::move(file)), ids_(ids) {}

  bool start_object(size_t) {
    if (inside_) wrong("an object");
    inside_ = true;
    return true;
  }
  bool key(std::string& token) {
    token_ = std::move(token);
    return true;
  }
  bool number_unsigned(uint64_t id) {
    if (!inside_ || id > INT32_MAX) wrong(std::to_string(id));
    if (!ids_.try_emplace(token_, static_cast<int32_t>(id)).second)
      throw FormatError("token stands there twice",
                        {file_, shown(token_), "one id", "a second, " + std::to_string(id)});
    return true;
  }
  bool number_integer(int64_t value) { return wrong(std::to_string(value)); }
  bool number_float(double, const std::string& text) { return wrong(text); }
  bool string(std::string& value) { return wrong(shown(value)); }
  bool boolean(bool value) { return wrong(value ? "true" : "false"); }
  bool null() { return wrong("null"); }
  bool binary(std::vector<uint8_t>&) { return wrong("binary data"); }
  bool start_array(size_t) { return wrong("a list"); }
  bool end_array() { return true; }
  bool end_object() { return true; }
  bool parse_error(size_t, const std::string&, const nlohmann::json::exception& error) {
    throw FormatError("malformed JSON", {file_, "", "an object of token ids", error.what()});
  }

 private:
  bool wrong(const std::string& found) const {
    if (!inside_) throw FormatError("wrong type", {file_, "", "an object of token ids", found});
    throw FormatError("unusable id", {file_, shown(token_), "an integer from 0", found});
  }

  std::string file_;
  TokenIds& ids_;
  std::string token_;
  bool inside_ = false;
};

void check_ids(const TokenIds& ids, const std::string& file) {
  const std::string range = "0 … " + std::to_string(ids.size() - 1);
  std::vector<const std::string*> owners(ids.size());
  for (const auto& [token, id] : ids) {
    if (static_cast<size_t>(id) >= ids.size())
      throw FormatError("id out of range", {file, shown(token), range, std::to_string(id)});
    if (owners[id] != nullptr)
      throw FormatError("two tokens share an id", {file, shown(token), range + ", each once",
                                                   std::to_string(id) + ", also of " + shown(*owners[id])});
    owners[id] = &token;
  }
}

}  // namespace

void read_vocabulary_json(const std::filesystem::path& file, TokenIds& ids) {
  const VocabularyFile json(file);
  VocabularyEvents events(file.string(), ids);
  nlohmann::json::sax_parse(json.text(), &events);
  check_ids(ids, file.string());
}

}  // namespace lightswitch::text
