#include "nn/weight_loader.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>

#include <algorithm>
#include <string_view>

namespace lightswitch::nn {
namespace {

constexpr size_t kListed = 10;
/// Beyond this many numbers a tensor that is not in the file is a lie about the network, and is not worth allocating.
constexpr int64_t kPlausibleNumbers = int64_t(1) << 31;

std::string text_of(at::IntArrayRef shape) {
  std::string text = "[";
  for (const int64_t size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

void list(std::string& report, const char* title, const std::vector<std::string>& names) {
  if (names.empty()) return;
  report += (report.empty() ? "" : "; ") + std::to_string(names.size()) + " " + title + ": ";
  for (size_t i = 0; i < std::min(names.size(), kListed); ++i) report += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > kListed) report += ", and " + std::to_string(names.size() - kListed) + " more";
}

/// Batch norm's running statistics are measured, not trained.
bool is_statistic(std::string_view name) {
  return name.ends_with(".running_mean") || name.ends_with(".running_var");
}

bool plausible(at::IntArrayRef shape) {
  int64_t numbers = 1;
  for (const int64_t size : shape)
    if (__builtin_mul_overflow(numbers, size, &numbers)) return false;
  return numbers <= kPlausibleNumbers;
}

}  // namespace

WeightLoader::WeightLoader(const NetworkRequest& request, std::string prefix, std::vector<std::string> siblings,
                           TensorNames names)
    : request_(request),
      prefix_(std::move(prefix)),
      siblings_(std::move(siblings)),
      names_(std::move(names)),
      dtype_(scalar_type(resolve_dtype(request.dtype, request.device))) {
  if (rounds() && !request.calibration)
    throw OptionError("int8 needs a calibration", {origin(), "calibration", "ranges of the layers", "none"});
}

std::string WeightLoader::stored_name(const std::string& absolute) const {
  return names_.scope + (names_.stored ? names_.stored(absolute) : absolute);
}

at::Tensor WeightLoader::take(const std::string& name, at::IntArrayRef shape) {
  return take_absolute(prefix_ + name, shape);
}

at::Tensor WeightLoader::take_absolute(const std::string& asked, at::IntArrayRef shape) {
  const std::string name = stored_name(asked);
  const TensorInfo* info = request_.weights->find(name);
  const bool first_time = taken_.insert(name).second;
  if (info != nullptr && at::IntArrayRef(info->shape) == shape && at::isFloatingType(info->dtype)) {
    const at::Tensor stored = request_.weights->read(name);
    if (first_time && !is_statistic(name)) parameters_ += stored.numel();
    return stored.to(at::kFloat).contiguous();
  }
  if (first_time) {
    if (info == nullptr)
      missing_.push_back(name);
    else if (at::IntArrayRef(info->shape) != shape)
      misshapen_.push_back(name + " (expected " + text_of(shape) + ", found " + text_of(info->shape) + ")");
    else
      misshapen_.push_back(name + " (expected floating-point numbers, found " + c10::toString(info->dtype) + ")");
  }
  if (!plausible(shape)) finish();
  return at::zeros(shape, at::kFloat);
}

bool WeightLoader::has(const std::string& name) const {
  return has_absolute(prefix_ + name);
}

bool WeightLoader::has_absolute(const std::string& name) const {
  return request_.weights->find(stored_name(name)) != nullptr;
}

std::vector<int64_t> WeightLoader::shape_of(const std::string& name) const {
  return shape_of_absolute(prefix_ + name);
}

std::vector<int64_t> WeightLoader::shape_of_absolute(const std::string& name) const {
  const TensorInfo* info = request_.weights->find(stored_name(name));
  return info == nullptr ? std::vector<int64_t>{} : info->shape;
}

int64_t WeightLoader::axis_of(const std::string& name, size_t axis, int64_t fallback) const {
  return axis_of_absolute(prefix_ + name, axis, fallback);
}

int64_t WeightLoader::axis_of_absolute(const std::string& name, size_t axis, int64_t fallback) const {
  const auto shape = shape_of_absolute(name);
  return shape.size() == 4 && shape[axis] > 0 ? shape[axis] : fallback;
}

void WeightLoader::ignore(const std::string& name) {
  taken_.insert(stored_name(prefix_ + name));
}

std::string WeightLoader::other_part(const std::string& name) const {
  if (!name.starts_with(names_.scope)) return name.substr(0, std::min(name.find('.'), name.size() - 1) + 1);
  const auto covers = [&](const std::string& sibling) { return name.starts_with(names_.scope + sibling); };
  const auto sibling = std::ranges::find_if(siblings_, covers);
  return sibling == siblings_.end() ? "" : names_.scope + *sibling;
}

NetworkInfo WeightLoader::info(std::string family, std::string configuration) const {
  NetworkInfo info{.family = std::move(family),
                   .configuration = std::move(configuration),
                   .parameters = parameters_,
                   .dtype = resolve_dtype(request_.dtype, request_.device)};
  for (const TensorInfo& tensor : request_.weights->tensors())
    if (const std::string part = other_part(tensor.name); !part.empty() && !taken_.contains(tensor.name))
      ++info.skipped[part];
  return info;
}

Rounding WeightLoader::rounding_of(const std::string& layer) {
  rounded_.insert(layer);
  const auto& ranges = request_.calibration->ranges;
  const auto range = ranges.find(layer);
  return range == ranges.end() ? Rounding{} : Rounding::of(range->second);
}

void WeightLoader::check_calibration() const {
  if (!rounds()) return;
  const auto& ranges = request_.calibration->ranges;
  std::vector<std::string> missing, unexpected;
  for (const std::string& layer : rounded_)
    if (!ranges.contains(layer)) missing.push_back(layer);
  for (const auto& [layer, range] : ranges)
    if (!rounded_.contains(layer)) unexpected.push_back(layer);
  std::string report;
  list(report, "missing", missing);
  list(report, "unexpected", unexpected);
  if (!report.empty())
    throw WeightsError("the calibration does not fit the network: " + report,
                       {request_.calibration->origin, "", "", ""});
}

void WeightLoader::finish() const {
  std::vector<std::string> unexpected;
  for (const TensorInfo& info : request_.weights->tensors())
    if (!taken_.contains(info.name) && other_part(info.name).empty()) unexpected.push_back(info.name);
  std::string report;
  list(report, "missing", missing_);
  list(report, "misshapen", misshapen_);
  list(report, "unexpected", unexpected);
  if (!report.empty()) throw WeightsError("tensors do not fit the network: " + report, {origin(), "", "", ""});
  check_calibration();
}

}  // namespace lightswitch::nn
