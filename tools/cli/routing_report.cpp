#include "cli/routing_report.hpp"

#include <CLI/App.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace lightswitch::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string with_digits(const char* format, double value) {
  char text[48];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

}  // namespace

void RoutingReport::add(const PictureRoute& route) {
  ++pictures;
  tile = route.tile;
  stats += route.stats;
}

Json describe(const RoutingStats& routing, const std::string& sample) {
  return {{sample + "s", routing.samples()},
          {"light_share", routing.light_share()},
          {"heavy_macs_per_" + sample, routing.heavy_cost.macs},
          {"light_macs_per_" + sample, routing.light_cost.macs},
          {"gate_macs_per_" + sample, routing.gate_cost.macs},
          {"shared_macs_per_" + sample, routing.shared_cost.macs},
          {"switching_macs", routing.warm_up_macs},
          {"macs", routing.macs()},
          {"reduction_per_" + sample, routing.reduction_per_sample()},
          {"mean_reduction", routing.mean_reduction()},
          {"parameter_reduction", routing.parameter_reduction()}};
}

Json to_json(const RoutingReport& routing) {
  const RoutingStats& stats = routing.stats;
  Json json = describe(stats, routing.sample());
  json["pictures"] = routing.pictures;
  if (routing.tile > 0) json["tile_pixels"] = routing.tile;
  json["parameters_touched"] = stats.parameters_touched();
  json["ms"] = {
      {"light", stats.light_ms}, {"heavy", stats.heavy_ms}, {"gate", stats.gate_ms}, {"shared", stats.shared_ms}};
  return json;
}

std::string summarise(const RoutingReport& routing) {
  return std::to_string(routing.stats.heavy) + " of " + std::to_string(routing.stats.samples()) + " " +
         routing.sample() + "s heavy: " + with_digits("%.2f", routing.stats.mean_reduction()) +
         "x fewer multiply-adds than all heavy";
}

std::optional<SettledBudget> settle(std::shared_ptr<const Decoder>& decoder, int64_t height, int64_t width,
                                    std::string& spec, Session& session) {
  const RoutedDecoding* routing = decoder->routing();
  if (!routing || !routing->budget_ms()) return {};
  const double asked = *routing->budget_ms();
  SettledBudget budget = settle_budget(*decoder, height, width, session.stop());
  const std::string option = ",budget-ms=";
  const size_t begin = spec.find(option), end = std::min(spec.find(',', begin + 1), spec.size());
  spec.replace(begin, end - begin, ",heavy-share=" + Json(budget.heavy_share).dump());
  session.note("a budget of " + with_digits("%g", asked) + " ms: " + spec + " (all light took " +
               with_digits("%.1f", budget.light_ms) + " ms, all heavy " + with_digits("%.1f", budget.heavy_ms) +
               " ms)");
  decoder = budget.decoder;
  return budget;
}

Json to_json(const SettledBudget& budget) {
  return {{"heavy_share", budget.heavy_share},
          {"ms", budget.ms},
          {"all_light_ms", budget.light_ms},
          {"all_heavy_ms", budget.heavy_ms}};
}

void add_route_map_option(CLI::App& command, std::string& file) {
  command
      .add_option("--route-map", file,
                  "With a routed decoder: also write the picture with its route over it, light tiles grey and dark; "
                  "several pictures are named as with --output")
      ->type_name("FILE")
      ->group("Output");
}

void require_route(const Decoder& decoder, const TileOptions& tiles) {
  if (!decoder.routing())
    throw UnsupportedError("a route can be drawn of routed decoders alone",
                           {"", "--route-map", "a decoder with two ways through it", decoder.info().family});
  if (tiles.size > 0 && !decoder.routing()->path(Path::light))
    throw UnsupportedError("pictures that are decoded piece by piece are routed piece by piece",
                           {"", "--route-map", "a picture decoded whole", "tiles of " + std::to_string(tiles.size)});
}

}  // namespace lightswitch::cli
