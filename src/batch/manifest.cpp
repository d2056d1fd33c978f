#include <lightswitch/batch/manifest.hpp>
#include <lightswitch/error.hpp>

#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

#include "io/json_reader.hpp"
#include "nn/files/strict_json.hpp"

namespace lightswitch {
namespace {

constexpr size_t kLongestId = 90;

void check_id(const std::string& id, const std::string& origin) {
  const auto allowed = [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-'; };
  if (id.empty() || id.size() > kLongestId || !std::ranges::all_of(id, allowed))
    throw FormatError("unusable name", {origin, "id", "1 to 90 letters, digits, _ and -", "\"" + id + "\""});
}

template <typename Value, typename Read>
void read_optional(const JsonObject& object, const std::string& key, std::optional<Value>& to, Read read) {
  if (object.has(key)) to = read(key);
}

const std::vector<std::string> kOfPrompts{"negative_prompt", "seed", "steps", "width", "height", "cfg_scale"};
const std::vector<std::string> kOfSounds{"bitrate", "route", "heavy_share"};

/// What such an item does not use: ignoring it would hide a mistake.
void refuse(const JsonObject& object, const std::vector<std::string>& keys, const std::string& beside,
            const std::string& origin) {
  for (const std::string& key : keys)
    if (object.has(key))
      throw FormatError("has no meaning here", {origin, key, "no such key beside `" + beside + "`", key});
}

/// The one of these keys that is there. @throws FormatError.
std::string kind_of(const JsonObject& object, const std::string& origin) {
  std::string found;
  for (const std::string key : {"prompt", "latents", "audio"}) {
    if (!object.has(key)) continue;
    if (!found.empty())
      throw FormatError("unclear what to make", {origin, key, "one of prompt, latents, audio", found + " and " + key});
    found = key;
  }
  if (found.empty())
    throw FormatError("unclear what to make", {origin, "prompt", "one of prompt, latents, audio", "none"});
  return found;
}

}  // namespace

BatchItem parse_batch_item(std::string_view text, int64_t line, const std::filesystem::path& origin) {
  const std::string place = origin.string() + ":" + std::to_string(line);
  const nlohmann::json json = nn::parse_strict_json(text, 2, place);
  const JsonObject object(json, place, "");
  std::vector<std::string> known{"id", "prompt", "latents", "audio", "decoder"};
  known.insert(known.end(), kOfPrompts.begin(), kOfPrompts.end());
  known.insert(known.end(), kOfSounds.begin(), kOfSounds.end());
  object.allow_only(known);
  BatchItem item;
  item.line = line;
  item.id = object.text("id");
  check_id(item.id, place);
  const std::string kind = kind_of(object, place);
  const auto text_of = [&](const std::string& key) { return object.text(key); };
  const auto whole = [&](int64_t low) {
    return [&object, low](const std::string& key) { return object.integer(key, low); };
  };
  const auto number = [&](const std::string& key) { return object.number(key); };
  const auto path = [&] {
    const std::filesystem::path named = object.text(kind);
    return named.is_relative() ? origin.parent_path() / named : named;
  };
  if (kind == "audio") {
    refuse(object, kOfPrompts, kind, place);
    refuse(object, {"decoder"}, kind, place);
    item.audio = path();
    read_optional(object, "bitrate", item.bitrate, whole(1));
    read_optional(object, "route", item.route, text_of);
    read_optional(object, "heavy_share", item.heavy_share, number);
    return item;
  }
  refuse(object, kOfSounds, kind, place);
  read_optional(object, "decoder", item.decoder, text_of);
  if (kind == "latents") {
    refuse(object, kOfPrompts, kind, place);
    item.latents = path();
    return item;
  }
  item.prompt = object.text("prompt");
  read_optional(object, "negative_prompt", item.negative_prompt, text_of);
  read_optional(object, "seed", item.seed, whole(0));
  read_optional(object, "steps", item.steps, whole(1));
  read_optional(object, "width", item.width, whole(1));
  read_optional(object, "height", item.height, whole(1));
  read_optional(object, "cfg_scale", item.cfg_scale, number);
  return item;
}

Shard Shard::parse(const std::string& text) {
  const size_t slash = text.find('/');
  const auto number = [&](const std::string& part) -> int64_t {
    const bool digits =
        !part.empty() && part.size() <= 9 && std::ranges::all_of(part, [](unsigned char c) { return std::isdigit(c); });
    return digits ? std::stoll(part) : -1;
  };
  const Shard shard{number(text.substr(0, slash)), slash == std::string::npos ? -1 : number(text.substr(slash + 1))};
  if (shard.index < 0 || shard.index >= shard.count)
    throw OptionError("unusable shard", {"", "shard", "I/N with 0 <= I < N, such as 0/4", text});
  return shard;
}

}  // namespace lightswitch
