#pragma once

#include <lightswitch/decode.hpp>
#include <lightswitch/temporal_decoder.hpp>
#include <lightswitch/timings.hpp>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/routing_report.hpp"
#include "cli/session.hpp"

namespace lightswitch::cli {

/// How clips were decoded.
struct ClipReport {
  int64_t clips = 0, frames = 0;   ///< frames of each
  int64_t chunk = 0;               ///< latents that were decoded at once
  bool depends_on_chunks = false;  ///< frames would be others with other chunks
};

/// What --json tells about a run of `image`, `decode` or `encode`. Every number was measured in that run.
struct RunReport {
  std::string command;
  std::optional<int64_t> seed;
  std::string network;   ///< the SPEC as given, or the package's default
  NetworkInfo info;      ///< of that network
  bool encodes = false;  ///< the network is an encoder
  TileOptions tiles;     ///< size 0: the picture was decoded whole
  bool exact = true;     ///< false where tiles are approximate
  std::optional<ClipReport> clips;
  std::optional<RoutingReport> routing;  ///< of the last decode, where it was repeated
  std::optional<SettledBudget> budget;
  Timings timings;
  std::vector<std::string> outputs;
};

/// Notes in the report how the decoder will be tiled, and says so where the user should know.
void tell_tiles(RunReport& report, const TileOptions& tiles, const LatentSpec& spec, Session& session);

/// For a decode that runs out of memory: says so, notes the smaller tiles in the report, and lets it go on. The report
/// and the session must outlive it.
TrySmaller in_smaller_tiles(RunReport& report, const LatentSpec& spec, Session& session);
/// The same for clips, whose chunks become shorter.
TryShorterChunks in_shorter_chunks(RunReport& report, Session& session);

nlohmann::ordered_json to_json(const RunReport& report, const CommonOptions& common);

/// Writes where --json asks to; nothing without it. @throws FileError.
void write_json(const nlohmann::ordered_json& report, Session& session);

/// Text as it may stand in JSON or on a terminal: what is not UTF-8 becomes U+FFFD.
std::string dump_json(const nlohmann::ordered_json& value, int indent = 2);

/// "text 3 ms, denoise 812 ms, decode 95 ms (10 %)"
std::string summarise(const Timings& timings);

}  // namespace lightswitch::cli
