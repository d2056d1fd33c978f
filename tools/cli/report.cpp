#include "cli/report.hpp"

#include <lightswitch/version.h>

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <ostream>

#include "core/atomic_file.hpp"

namespace lightswitch::cli {
namespace {

using Json = nlohmann::ordered_json;

/// Three digits behind the point: a microsecond is below what these clocks tell.
double rounded(double ms) {
  return std::round(ms * 1000) / 1000;
}

Json stages_of(const Timings& timings) {
  Json stages = Json::array();
  for (const StageTime& stage : timings.stages) {
    Json entry{{"name", stage.name}, {"ms", rounded(stage.ms)}};
    if (stage.ms_all.size() > 1)
      for (const double ms : stage.ms_all) entry["ms_all"].push_back(rounded(ms));
    stages.push_back(std::move(entry));
  }
  return stages;
}

}  // namespace

void tell_tiles(RunReport& report, const TileOptions& tiles, const LatentSpec& spec, Session& session) {
  report.tiles = tiles;
  report.exact = tiles.size == 0 || !spec.global_operations;
  if (tiles.size == 0) return;
  const std::string size = "tiles of " + std::to_string(tiles.size) + " latents";
  if (report.exact)
    session.note(size + ", exact");
  else
    session.warn(size + " are approximate with this decoder: it looks at the whole picture at once");
}

TrySmaller in_smaller_tiles(RunReport& report, const LatentSpec& spec, Session& session) {
  return [&report, spec, &session](const MemoryError& error, const TileOptions& tiles) {
    session.warn(std::string(error.what()) + "; decoding again in tiles of " + std::to_string(tiles.size) + " latents");
    tell_tiles(report, tiles, spec, session);
    return true;
  };
}

TryShorterChunks in_shorter_chunks(RunReport& report, Session& session) {
  return [&report, &session](const MemoryError& error, int64_t chunk) {
    session.warn(std::string(error.what()) + "; decoding again with " + std::to_string(chunk) + " at once" +
                 (report.clips->depends_on_chunks ? ", which changes the frames" : ""));
    report.clips->chunk = chunk;
    return true;
  };
}

Json to_json(const RunReport& report, const CommonOptions& common) {
  Json json{{"version", LIGHTSWITCH_VERSION}, {"command", report.command}};
  json["seed"] = report.seed ? Json(*report.seed) : Json();
  json["device"] = common.device;
  json["dtype"] = to_string(report.info.dtype);
  json[report.encodes ? "encoder" : "decoder"] = {
      {"name", report.network}, {"family", report.info.family}, {"parameters", report.info.parameters}};
  if (report.tiles.size > 0) json["tiles"] = {{"size", report.tiles.size}, {"exact", report.exact}};
  if (report.clips)
    json["clips"] = {{"count", report.clips->clips},
                     {"frames", report.clips->frames},
                     {"chunk", report.clips->chunk},
                     {"depends_on_chunks", report.clips->depends_on_chunks}};
  if (report.budget) json["budget"] = to_json(*report.budget);
  if (report.routing) json["routing"] = to_json(*report.routing);
  json["stages"] = stages_of(report.timings);
  json["decode_share"] = report.timings.decode_share();
  json["peak_bytes"] = report.timings.peak_bytes;
  json["outputs"] = report.outputs;
  return json;
}

void write_json(const Json& report, Session& session) {
  const std::string& target = session.common().json;
  if (target.empty()) return;
  const std::string text = dump_json(report) + "\n";
  if (target == "-")
    session.out() << text << std::flush;
  else
    write_stream_atomically(target, [&](std::ostream& stream) { stream << text; });
}

std::string dump_json(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string summarise(const Timings& timings) {
  std::string text;
  for (const StageTime& stage : timings.stages) {
    char entry[96];
    std::snprintf(entry, sizeof entry, "%s%s %.0f ms", text.empty() ? "" : ", ", stage.name.c_str(), stage.ms);
    text += entry;
  }
  if (timings.decode_share() > 0) {
    char share[64];
    std::snprintf(share, sizeof share, "; decoding took %.0f %%", 100 * timings.decode_share());
    text += share;
  }
  return text;
}

}  // namespace lightswitch::cli
