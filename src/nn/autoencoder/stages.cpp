#include "nn/autoencoder/stages.hpp"

#include <lightswitch/error.hpp>

namespace lightswitch::nn::autoencoder {
namespace {

std::string joined(const std::vector<int64_t>& numbers, const char* between) {
  std::string text;
  for (const int64_t number : numbers) text += (text.empty() ? "" : between) + std::to_string(number);
  return text;
}

}  // namespace

int64_t size_factor(size_t stages, const std::string& origin) {
  constexpr size_t kMostStages = 16;
  if (stages < 1 || stages > kMostStages)
    throw WeightsError("not a usable number of stages",
                       {origin, "", "1 to " + std::to_string(kMostStages), std::to_string(stages)});
  return int64_t(1) << (stages - 1);
}

std::string describe(const std::vector<int64_t>& widths, size_t blocks, bool middle_attends,
                     const std::vector<int64_t>& attending) {
  std::string text = joined(widths, "-") + ", " + std::to_string(blocks) + " blocks each";
  if (middle_attends) text += ", attention in the middle";
  if (!attending.empty()) text += (middle_attends ? " and at " : ", attention at ") + joined(attending, ", ");
  return text;
}

}  // namespace lightswitch::nn::autoencoder
