#include <lightswitch/batch/results.hpp>
#include <lightswitch/error.hpp>

#include <array>
#include <cmath>

#include "io/json_reader.hpp"
#include "nn/files/strict_json.hpp"

namespace lightswitch {
namespace {

constexpr std::array<std::pair<ItemState, const char*>, 3> kStates{
    {{ItemState::done, "done"}, {ItemState::failed, "failed"}, {ItemState::skipped, "skipped"}}};

double rounded(double ms) {
  return std::round(ms * 100) / 100;
}

}  // namespace

std::string to_json(const ItemResult& result) {
  nlohmann::ordered_json json;
  if (result.id.empty())
    json["id"] = nullptr;
  else
    json["id"] = result.id;
  json["line"] = result.line;
  for (const auto& [state, word] : kStates)
    if (state == result.state) json["state"] = word;
  if (result.state != ItemState::failed) {
    json["out"] = result.out;
    if (!result.member.empty()) json["member"] = result.member;
    json["sha256"] = result.sha256;
    json["bytes"] = result.bytes;
    json["dtype"] = result.dtype;
  }
  if (!result.digest.empty()) json["digest"] = result.digest;
  json["ms_denoise"] = rounded(result.ms_denoise);
  json["ms_decode"] = rounded(result.ms_decode);
  json["ms_encode_file"] = rounded(result.ms_encode_file);
  json["peak_bytes"] = result.peak_bytes;
  if (result.process > 0) json["process"] = result.process;
  if (result.own_bytes > 0) json["own_bytes"] = result.own_bytes;
  if (result.state == ItemState::failed) {
    json["error"] = result.error;
    json["retry"] = result.retry;
  }
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

ItemResult parse_item_result(std::string_view text, const std::string& origin) {
  const nlohmann::json json = nn::parse_strict_json(text, 2, origin);
  const JsonObject object(json, origin, "");
  ItemResult result;
  if (!object.raw().value("id", nlohmann::json()).is_null()) result.id = object.text("id");
  result.line = object.integer("line", 1);
  const std::string state = object.text("state");
  bool known = false;
  for (const auto& [value, word] : kStates)
    if (state == word) {
      result.state = value;
      known = true;
    }
  if (!known) throw FormatError("unknown state", {origin, "state", "done, failed or skipped", state});
  if (result.state != ItemState::failed) {
    result.out = object.text("out");
    result.member = object.text("member", "");
    result.sha256 = object.text("sha256");
    result.bytes = object.integer("bytes", 0);
    result.dtype = object.text("dtype");
  }
  result.digest = object.text("digest", "");
  result.ms_denoise = object.number("ms_denoise");
  result.ms_decode = object.number("ms_decode");
  result.ms_encode_file = object.number("ms_encode_file");
  result.peak_bytes = object.integer("peak_bytes", 0);
  if (object.has("process")) result.process = object.integer("process", 0);
  if (object.has("own_bytes")) result.own_bytes = object.integer("own_bytes", 0);
  if (result.state == ItemState::failed) {
    result.error = object.text("error");
    result.retry = object.raw().value("retry", false);
  }
  return result;
}

}  // namespace lightswitch
