#pragma once

#include <lightswitch/scheduler.hpp>
#include <lightswitch/tensor_spec.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

/// What pipelines require of their options and parts. All throw OptionError.
namespace lightswitch {

void require(bool fits, const char* field, const std::string& expected, const std::string& found);
/// Pixels along one axis.
void require_size(int64_t value, const char* field, int64_t multiple);
void require_part(bool there, const char* field);
/// A network that is known to belong to another latent space is refused.
void require_space(const LatentSpec& spec, const std::string& space, const char* field);

using Schedulers = std::map<std::string, std::shared_ptr<const Scheduler>>;
/// Names the nearest known sampling method when there is none of that name.
const Scheduler& scheduler_of(const Schedulers& schedulers, const std::string& name);

}  // namespace lightswitch
