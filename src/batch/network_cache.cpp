#include "batch/network_cache.hpp"

#include <lightswitch/model_package.hpp>

#include <algorithm>

namespace lightswitch {
namespace {

constexpr size_t kKeptOpen = 4;

}  // namespace

std::shared_ptr<const Decoder> NetworkCache::open(const std::string& spec, bool in_fp32) {
  const auto known =
      std::ranges::find_if(open_, [&](const Open& each) { return each.spec == spec && each.in_fp32 == in_fp32; });
  if (known != open_.end()) {
    open_.splice(open_.begin(), open_, known);
    return open_.front().decoder;
  }
  NetworkSpec parsed = NetworkSpec::parse(spec);
  if (in_fp32) parsed.options["dtype"] = "fp32";
  const NetworkContext context{
      .registry = networks_.registry, .package = networks_.package, .dtype = settings_.dtype, .log = networks_.log};
  open_.push_front({spec, in_fp32, open_decoder(parsed, context)});
  if (open_.size() > kKeptOpen) open_.pop_back();
  return open_.front().decoder;
}

std::shared_ptr<const Decoder> NetworkCache::decoder(const std::string& spec) {
  return open(spec, false);
}

std::shared_ptr<const Decoder> NetworkCache::wider(const std::string& spec) {
  return decoder(spec)->info().dtype == DType::fp32 ? nullptr : open(spec, true);
}

TextToImage NetworkCache::pipeline(const std::string& spec) {
  if (!parts_) {
    if (networks_.package == nullptr)
      throw OptionError("prompts need a model", {"", "model", "a model package", "none"});
    try {
      parts_ = networks_.package->load_parts(settings_.denoiser_dtype);
    } catch (const MemoryError&) {
      throw;
    } catch (const Error& error) {
      throw UnusableBatch(error.what());
    }
  }
  TextToImageParts parts = *parts_;
  parts.decoder = decoder(spec);
  return TextToImage(std::move(parts));
}

}  // namespace lightswitch
