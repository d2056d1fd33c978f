#include "text/special_tokens.hpp"

#include <lightswitch/error.hpp>

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>

#include "io/json_reader.hpp"
#include "text/normalize.hpp"
#include "text/shown.hpp"
#include "text/unicode.hpp"

namespace lightswitch::text {
namespace {

namespace fs = std::filesystem;

/// A special token as a configuration file describes it.
struct Declaration {
  std::string content;
  bool normalized = false;
  std::string file, key;  // for errors
};

constexpr const char* kStart = "bos_token";
constexpr const char* kEnd = "eos_token";
constexpr const char* kUnknown = "unk_token";
constexpr const char* kPadding = "pad_token";

/// In this order, because the last of several declarations of one token decides.
constexpr const char* kRoles[] = {kStart, kEnd, kUnknown, kPadding};
constexpr const char* kUnsupportedRoles[] = {"sep_token", "cls_token", "mask_token", "additional_special_tokens",
                                             "extra_special_tokens"};

/// Declarations by role or, in added_tokens_decoder, by id.
struct Configuration {
  std::map<std::string, Declaration> roles;
  std::map<int32_t, Declaration> added;
};

Configuration clip_configuration(const fs::path& file) {
  Configuration clip;
  for (const char* role : kRoles)
    clip.roles[role] = {role == kStart ? "<|startoftext|>" : "<|endoftext|>", false, file.string(), role};
  return clip;
}

/// A dangling link counts: reading it then fails, where a missing file would pass for silent.
bool is_there(const fs::path& file) {
  std::error_code code;
  return fs::exists(fs::symlink_status(file, code));
}

bool flag(const JsonObject& object, const char* key, bool fallback, const std::string& file) {
  if (!object.has(key)) return fallback;
  const auto& value = object.raw()[key];
  if (!value.is_boolean()) throw FormatError("unusable value", {file, object.path(key), "true or false", value.dump()});
  return value.get<bool>();
}

/// A token is written as a string or as an object. @param special whether it is special where it does not say.
Declaration read_declaration(const JsonObject& parent, const std::string& key, const std::string& file, bool special) {
  Declaration token{"", false, file, parent.path(key)};
  if (parent.raw()[key].is_string()) {
    token.content = parent.text(key);
  } else {
    const JsonObject object = parent.object(key);
    token.content = object.text("content");
    token.normalized = flag(object, "normalized", !flag(object, "special", special, file), file);
    for (const char* rule : {"lstrip", "rstrip", "single_word"})
      if (flag(object, rule, false, file))
        throw UnsupportedError("special tokens that depend on their neighbours",
                               {file, object.path(rule), "false", "true"});
  }
  if (token.content.empty()) throw FormatError("empty special token", {file, token.key, "a token", "\"\""});
  return token;
}

void read_roles(const JsonObject& object, const std::string& file, bool special, Configuration& configuration) {
  for (const char* role : kRoles)
    if (object.has(role)) configuration.roles[role] = read_declaration(object, role, file, special);
  for (const char* role : kUnsupportedRoles)
    if (object.has(role) && !object.raw()[role].is_null() && !object.raw()[role].empty())
      throw UnsupportedError("special tokens that CLIP does not have", {file, role, "none", object.raw()[role].dump()});
}

int32_t parse_id(const std::string& digits, const std::string& file) {
  int32_t id = -1;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
  if (code != std::errc() || end != digits.data() + digits.size() || id < 0)
    throw FormatError("unusable id", {file, "added_tokens_decoder", "an integer from 0", shown(digits)});
  return id;
}

void read_added(const JsonObject& object, const std::string& file, Configuration& configuration) {
  for (const std::string& key : object.keys())
    configuration.added[parse_id(key, file)] = read_declaration(object, key, file, false);
  for (auto& [role, declaration] : configuration.roles)
    for (const auto& [id, added] : configuration.added)
      if (added.content == declaration.content) declaration.normalized = added.normalized;
}

SpecialToken make_token(const Declaration& declaration, int32_t id) {
  const std::u32string content = decode_utf8(declaration.content);
  return {declaration.normalized ? normalize(content) : content, id, declaration.normalized};
}

int32_t id_of(const Declaration& declaration, const TokenIds& ids, const Configuration& configuration) {
  if (const auto found = ids.find(declaration.content); found != ids.end()) return found->second;
  for (const auto& [id, added] : configuration.added)
    if (added.content == declaration.content) return id;
  throw FormatError("special token outside the vocabulary",
                    {declaration.file, declaration.key, "a token of the vocabulary", shown(declaration.content)});
}

SpecialTokens resolve(const Configuration& configuration, const TokenIds& ids) {
  std::map<int32_t, SpecialToken> in_text;
  for (const auto& [id, added] : configuration.added) {
    const auto known = ids.find(added.content);
    const bool agrees = known != ids.end() ? known->second == id : static_cast<size_t>(id) >= ids.size();
    if (!agrees)
      throw FormatError(
          "added token contradicts the vocabulary",
          {added.file, added.key,
           known != ids.end() ? "id " + std::to_string(known->second) : "an id from " + std::to_string(ids.size()),
           shown(added.content) + " as " + std::to_string(id)});
    in_text[id] = make_token(added, id);
  }
  SpecialTokens special;
  for (const char* role : kRoles) {
    const Declaration& declaration = configuration.roles.at(role);
    const int32_t id = id_of(declaration, ids, configuration);
    in_text[id] = make_token(declaration, id);
    (role == kStart     ? special.start
     : role == kEnd     ? special.end
     : role == kUnknown ? special.unknown
                        : special.padding) = id;
  }
  for (auto& [id, token] : in_text) special.in_text.push_back(std::move(token));
  return special;
}

}  // namespace

const SpecialToken* SpecialTokens::match(std::u32string_view text, bool normalized) const {
  const SpecialToken* longest = nullptr;
  for (const SpecialToken& token : in_text)
    if (token.normalized == normalized && text.starts_with(token.content) &&
        (longest == nullptr || token.content.size() > longest->content.size()))
      longest = &token;
  return longest;
}

SpecialTokens default_special_tokens(const TokenIds& ids, const fs::path& file) {
  return resolve(clip_configuration(file), ids);
}

SpecialTokens read_special_tokens(const fs::path& folder, const TokenIds& ids) {
  const fs::path added_file = folder / "added_tokens.json";
  if (is_there(added_file))
    throw UnsupportedError("tokens added beside the vocabulary", {added_file.string(), "", "no such file", "one"});

  Configuration configuration = clip_configuration(folder / "vocab.json");
  const fs::path config_file = folder / "tokenizer_config.json", map_file = folder / "special_tokens_map.json";
  bool has_added = false;
  if (is_there(config_file)) {
    const auto json = read_json(config_file);
    const JsonObject config(json, config_file.string(), "");
    read_roles(config, config_file.string(), false, configuration);
    has_added = config.has("added_tokens_decoder");
    if (has_added) read_added(config.object("added_tokens_decoder"), config_file.string(), configuration);
  }
  if (!has_added && is_there(map_file)) {
    const auto json = read_json(map_file);
    read_roles(JsonObject(json, map_file.string(), ""), map_file.string(), true, configuration);
  }
  return resolve(configuration, ids);
}

}  // namespace lightswitch::text
