#include "pipeline/requirements.hpp"

#include <lightswitch/error.hpp>

#include <vector>

#include "core/nearest_word.hpp"

namespace lightswitch {

void require(bool fits, const char* field, const std::string& expected, const std::string& found) {
  if (!fits) throw OptionError("out of range", {"", field, expected, found});
}

void require_size(int64_t value, const char* field, int64_t multiple) {
  require(value > 0 && value % multiple == 0, field, "a positive multiple of " + std::to_string(multiple) + " pixels",
          std::to_string(value));
}

void require_part(bool there, const char* field) {
  if (!there) throw OptionError("a part is missing", {"", field, "a loaded part", "none"});
}

void require_space(const LatentSpec& spec, const std::string& space, const char* field) {
  if (!space.empty() && !spec.space.empty() && spec.space != space)
    throw OptionError("belongs to another latent space", {"", field, space, spec.space});
}

const Scheduler& scheduler_of(const Schedulers& schedulers, const std::string& name) {
  const auto entry = schedulers.find(name);
  if (entry != schedulers.end()) return *entry->second;
  std::vector<std::string> known;
  for (const auto& [key, scheduler] : schedulers) known.push_back(key);
  const std::string nearest = nearest_word(name, known);
  throw OptionError("unknown sampling method",
                    {"", "sampling_method", join_words(known) + (nearest.empty() ? "" : "; perhaps " + nearest), name});
}

}  // namespace lightswitch
