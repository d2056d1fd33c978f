#include <lightswitch/error.hpp>
#include <lightswitch/routing.hpp>

#include <string>

namespace lightswitch {
namespace {

double ratio(int64_t whole, int64_t part) {
  return part == 0 ? 0 : static_cast<double>(whole) / static_cast<double>(part);
}

bool same(const PathCost& a, const PathCost& b) {
  return a.macs == b.macs && a.parameters == b.parameters;
}

}  // namespace

double RoutingStats::light_share() const {
  return ratio(light, samples());
}

int64_t RoutingStats::macs() const {
  return light * light_cost.macs + heavy * heavy_cost.macs + samples() * (gate_cost.macs + shared_cost.macs) +
         warm_up_macs;
}

double RoutingStats::reduction_per_sample() const {
  return ratio(shared_cost.macs + heavy_cost.macs, shared_cost.macs + light_cost.macs + gate_cost.macs);
}

double RoutingStats::mean_reduction() const {
  return ratio(samples() * (shared_cost.macs + heavy_cost.macs), macs());
}

double RoutingStats::parameter_reduction() const {
  return ratio(shared_cost.parameters + heavy_cost.parameters,
               shared_cost.parameters + light_cost.parameters + gate_cost.parameters);
}

int64_t RoutingStats::parameters_touched() const {
  return (samples() > 0 ? gate_cost.parameters + shared_cost.parameters : 0) + (light > 0 ? light_cost.parameters : 0) +
         (heavy > 0 ? heavy_cost.parameters : 0);
}

RoutingStats& RoutingStats::operator+=(const RoutingStats& more) {
  if (samples() == 0) return *this = more;
  if (more.samples() == 0) return *this;
  if (!same(light_cost, more.light_cost) || !same(heavy_cost, more.heavy_cost) || !same(gate_cost, more.gate_cost) ||
      !same(shared_cost, more.shared_cost))
    throw TensorError("statistics of different paths", {"", "macs of the heavy path", std::to_string(heavy_cost.macs),
                                                        std::to_string(more.heavy_cost.macs)});
  light += more.light;
  heavy += more.heavy;
  warm_up_macs += more.warm_up_macs;
  light_ms += more.light_ms;
  heavy_ms += more.heavy_ms;
  gate_ms += more.gate_ms;
  shared_ms += more.shared_ms;
  return *this;
}

}  // namespace lightswitch
