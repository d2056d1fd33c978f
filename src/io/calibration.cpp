#include <lightswitch/calibration.hpp>
#include <lightswitch/error.hpp>

#include <algorithm>
#include <cmath>
#include <ostream>

#include "core/atomic_file.hpp"
#include "io/json_reader.hpp"

namespace lightswitch {
namespace {

constexpr const char* kFormat = "lightswitch.calibration";
constexpr int64_t kVersion = 1;

ActivationRange read_range(const nlohmann::json& value, const std::string& layer, const std::string& file) {
  const auto is_number = [](const nlohmann::json& item) { return item.is_number(); };
  if (value.is_array() && value.size() == 2 && std::ranges::all_of(value, is_number)) {
    const ActivationRange range{value[0].get<double>(), value[1].get<double>()};
    if (std::isfinite(range.low) && std::isfinite(range.high) && range.low <= 0 && range.high >= 0) return range;
  }
  throw FormatError("unusable range", {file, "ranges." + layer, "[LOW, HIGH] with LOW <= 0 <= HIGH", value.dump()});
}

}  // namespace

std::filesystem::path calibration_beside(const std::filesystem::path& weights) {
  auto file = weights;
  return file.replace_extension(".int8.json");
}

Calibration read_calibration(const std::filesystem::path& file) {
  const auto json = read_json(file);
  if (!json.is_object()) throw FormatError("wrong type", {file.string(), "", "an object", json.type_name()});
  const JsonObject top(json, file.string(), "");
  top.allow_only({"format", "version", "ranges"});
  if (const std::string format = top.text("format"); format != kFormat)
    throw FormatError("not a calibration", {file.string(), "format", kFormat, format});
  if (const int64_t version = top.integer("version", 1); version != kVersion)
    throw FormatError("unknown version", {file.string(), "version", std::to_string(kVersion), std::to_string(version)});
  Calibration calibration{{}, file.string()};
  for (const auto& [layer, value] : top.object("ranges").raw().items())
    calibration.ranges[layer] = read_range(value, layer, file.string());
  return calibration;
}

void write_calibration(const Calibration& calibration, const std::filesystem::path& file) {
  nlohmann::ordered_json ranges = nlohmann::ordered_json::object();
  for (const auto& [layer, range] : calibration.ranges) ranges[layer] = {range.low, range.high};
  const nlohmann::ordered_json json{{"format", kFormat}, {"version", kVersion}, {"ranges", ranges}};
  write_stream_atomically(file, [&](std::ostream& stream) { stream << json.dump(1) << "\n"; });
}

}  // namespace lightswitch
