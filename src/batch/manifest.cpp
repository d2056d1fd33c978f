#include <lightswitch/batch/manifest.hpp>
#include <lightswitch/error.hpp>

#include <algorithm>
#include <cctype>

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

/// What only a denoiser uses says nothing about latents: ignoring it would hide a mistake.
void check_latents_alone(const JsonObject& object, const std::string& origin) {
  for (const char* key : {"negative_prompt", "seed", "steps", "width", "height", "cfg_scale"})
    if (object.has(key))
      throw FormatError("latents are made already", {origin, key, "no such key beside `latents`", key});
}

}  // namespace

BatchItem parse_batch_item(std::string_view text, int64_t line, const std::filesystem::path& origin) {
  const std::string place = origin.string() + ":" + std::to_string(line);
  const nlohmann::json json = nn::parse_strict_json(text, 2, place);
  const JsonObject object(json, place, "");
  if (object.has("audio"))
    throw UnsupportedError("batches make pictures; audio is not among them yet",
                           {place, "audio", "prompt or latents", "audio"});
  object.allow_only(
      {"id", "prompt", "latents", "negative_prompt", "decoder", "seed", "steps", "width", "height", "cfg_scale"});
  BatchItem item;
  item.line = line;
  item.id = object.text("id");
  check_id(item.id, place);
  if (object.has("prompt") == object.has("latents"))
    throw FormatError("unclear what to make",
                      {place, "prompt", "either prompt or latents", object.has("prompt") ? "both" : "neither"});
  const auto text_of = [&](const std::string& key) { return object.text(key); };
  const auto whole = [&](int64_t low) {
    return [&object, low](const std::string& key) { return object.integer(key, low); };
  };
  read_optional(object, "decoder", item.decoder, text_of);
  if (object.has("latents")) {
    check_latents_alone(object, place);
    item.latents = object.text("latents");
    if (item.latents.is_relative()) item.latents = origin.parent_path() / item.latents;
    return item;
  }
  item.prompt = object.text("prompt");
  read_optional(object, "negative_prompt", item.negative_prompt, text_of);
  read_optional(object, "seed", item.seed, whole(0));
  read_optional(object, "steps", item.steps, whole(1));
  read_optional(object, "width", item.width, whole(1));
  read_optional(object, "height", item.height, whole(1));
  read_optional(object, "cfg_scale", item.cfg_scale, [&](const std::string& key) { return object.number(key); });
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
