#pragma once

#include <lightswitch/decode.hpp>
#include <lightswitch/routed_decoder.hpp>

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "cli/session.hpp"

namespace lightswitch::cli {

/// How the pictures of a run were routed.
struct RoutingReport {
  int64_t pictures = 0;
  int64_t tile = 0;  ///< pixels; 0 where pictures were routed whole
  RoutingStats stats;

  void add(const PictureRoute& route);
  /// "tile" or "picture".
  std::string sample() const { return tile > 0 ? "tile" : "picture"; }
};

/// Counts and multiply-adds. @param sample what is routed: "tile", "picture", "frame".
nlohmann::ordered_json describe(const RoutingStats& routing, const std::string& sample);
nlohmann::ordered_json to_json(const RoutingReport& routing);
/// "12 of 40 tiles heavy: 2.71x fewer multiply-adds than all heavy".
std::string summarise(const RoutingReport& routing);

/// A budget of time in the SPEC becomes a share there, as settle_budget() finds it, and says so; nothing where there is
/// none. @param height, width of the latents. @throws as settle_budget().
std::optional<SettledBudget> settle(std::shared_ptr<const Decoder>& decoder, int64_t height, int64_t width,
                                    std::string& spec, Session& session);
nlohmann::ordered_json to_json(const SettledBudget& budget);

/// --route-map, for subcommands that decode.
void add_route_map_option(CLI::App& command, std::string& file);
/// @throws UnsupportedError unless a route can be drawn over what this decoder makes.
void require_route(const Decoder& decoder, const TileOptions& tiles);

}  // namespace lightswitch::cli
