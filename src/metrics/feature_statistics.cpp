#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/frechet.hpp>
#include <lightswitch/weights.hpp>

#include <algorithm>
#include <charconv>

#include "core/describe.hpp"

namespace lightswitch {
namespace {

constexpr const char* kFormat = "lightswitch.feature_statistics";
constexpr const char* kVersion = "1";

std::string text_of(const WeightSource& file, const std::string& key) {
  const auto entry = file.metadata().find(key);
  return entry == file.metadata().end() ? "" : entry->second;
}

void require_text(const WeightSource& file, const std::string& key, const std::string& expected) {
  const std::string found = text_of(file, key);
  if (found != expected)
    throw FormatError("not a file of feature statistics",
                      {file.origin(), key, expected, found.empty() ? "no such metadata" : found});
}

int64_t count_of(const WeightSource& file) {
  const std::string text = text_of(file, "count");
  int64_t count = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), count);
  constexpr int64_t kMost = int64_t{1} << 53;  // counts are computed with in double precision
  if (text.empty() || end.ptr != text.data() + text.size() || end.ec != std::errc() || count < 1 || count > kMost)
    throw FormatError("unusable metadata", {file.origin(), "count", "a number of samples", text});
  return count;
}

at::Tensor numbers_of(const WeightSource& file, const std::string& name, at::IntArrayRef shape) {
  const TensorInfo* info = file.find(name);
  if (info == nullptr) throw FormatError("a tensor is missing", {file.origin(), name, "a tensor of that name", "none"});
  if (info->dtype != at::kDouble || at::IntArrayRef(info->shape) != shape)
    throw FormatError("unusable tensor", {file.origin(), name, c10::str(shape, " ", at::kDouble),
                                          c10::str(at::IntArrayRef(info->shape), " ", info->dtype)});
  const at::Tensor numbers = file.read(name).clone();  // the file may change while they are in use
  if (!at::isfinite(numbers).all().item<bool>())
    throw NumericError("not finite", {file.origin(), name, "finite numbers", "NaN or infinity"});
  return numbers;
}

/// Sums of outer products are symmetric, up to the last digits, with no negative number on the diagonal.
void require_scatter(const at::Tensor& scatter, const std::string& file) {
  const at::Tensor diagonal = scatter.diagonal();
  const double largest = diagonal.max().item<double>();
  if (diagonal.min().item<double>() < 0)
    throw FormatError("not sums of squares", {file, "scatter", "a diagonal of 0 or more", "a negative number"});
  if ((scatter - scatter.t()).abs().max().item<double>() > 1e-9 * largest)
    throw FormatError("not sums of products", {file, "scatter", "a symmetric matrix", "another one"});
}

}  // namespace

void FeatureStatistics::add(const at::Tensor& features) {
  const bool fits = features.defined() && features.dim() == 2 && features.is_floating_point() && features.size(1) > 0 &&
                    (count_ == 0 || features.size(1) == dimensions());
  if (!fits)
    throw TensorError(
        "unusable features",
        {"", "features", "[N, " + (count_ == 0 ? std::string("D") : std::to_string(dimensions())) + "] floating point",
         describe(features)});
  if (features.size(0) == 0) return;
  const at::Tensor rows = features.to(at::kDouble);
  if (!at::isfinite(rows).all().item<bool>())
    throw NumericError("not finite", {"", "features", "finite numbers", "NaN or infinity"});
  FeatureStatistics part;
  part.count_ = rows.size(0);
  part.mean_ = rows.mean(0);
  const at::Tensor deviations = rows - part.mean_;
  part.scatter_ = deviations.t().matmul(deviations);
  merge(part);
}

void FeatureStatistics::merge(const FeatureStatistics& other) {
  if (!source_.empty() && !other.source_.empty() && source_ != other.source_)
    throw TensorError("statistics of different features do not merge", {"", "source", source_, other.source_});
  if (other.count_ == 0) return;
  if (count_ > 0 && other.dimensions() != dimensions())
    throw TensorError("statistics of different features do not merge",
                      {"", "dimensions", std::to_string(dimensions()), std::to_string(other.dimensions())});
  if (source_.empty()) source_ = other.source_;
  if (count_ == 0) {
    count_ = other.count_;
    mean_ = other.mean_;
    scatter_ = other.scatter_;
    return;
  }
  const auto mine = static_cast<double>(count_), theirs = static_cast<double>(other.count_);
  const double all = mine + theirs;
  const at::Tensor apart = other.mean_ - mean_;
  // New tensors, since copies of this object share the old ones.
  scatter_ = at::addr(scatter_ + other.scatter_, apart, apart, 1, mine * theirs / all);
  mean_ = mean_ + apart * (theirs / all);
  count_ += other.count_;
}

const at::Tensor& FeatureStatistics::mean() const {
  if (count_ == 0) throw TensorError("no samples", {"", "features", "1 sample or more", "0"});
  return mean_;
}

at::Tensor FeatureStatistics::covariance() const {
  if (count_ < 2) throw TensorError("too few samples", {"", "features", "2 samples or more", std::to_string(count_)});
  return scatter_ / static_cast<double>(count_ - 1);
}

void FeatureStatistics::save(const std::filesystem::path& file) const {
  save_safetensors(
      file, {{"mean", mean()}, {"scatter", scatter_}},
      {{"format", kFormat}, {"version", kVersion}, {"count", std::to_string(count_)}, {"source", source_}});
}

FeatureStatistics FeatureStatistics::load(const std::filesystem::path& path) {
  const auto file = open_weights(path);
  require_text(*file, "format", kFormat);
  require_text(*file, "version", kVersion);
  const TensorInfo* mean = file->find("mean");
  const int64_t dimensions = mean != nullptr && mean->shape.size() == 1 ? mean->shape[0] : 1;
  FeatureStatistics statistics(text_of(*file, "source"));
  statistics.count_ = count_of(*file);
  statistics.mean_ = numbers_of(*file, "mean", {std::max<int64_t>(dimensions, 1)});
  statistics.scatter_ = numbers_of(*file, "scatter", {dimensions, dimensions});
  require_scatter(statistics.scatter_, file->origin());
  return statistics;
}

}  // namespace lightswitch
