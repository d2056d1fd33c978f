#include <sys/resource.h>
#include <lightswitch/timings.hpp>

#include <algorithm>

namespace lightswitch {
namespace {

StageTime& stage(std::vector<StageTime>& stages, const std::string& name) {
  for (StageTime& known : stages)
    if (known.name == name) return known;
  stages.push_back({name, 0, {}});
  return stages.back();
}

}  // namespace

void Timings::add(const std::string& name, double ms) {
  StageTime& entry = stage(stages, name);
  entry.ms += ms;
  entry.ms_all = {entry.ms};
}

void Timings::repeat(const std::string& name, double ms) {
  StageTime& entry = stage(stages, name);
  entry.ms_all.push_back(ms);
  entry.ms = *std::min_element(entry.ms_all.begin(), entry.ms_all.end());
}

double Timings::ms(const std::string& name) const {
  for (const StageTime& known : stages)
    if (known.name == name) return known.ms;
  return 0;
}

double Timings::decode_share() const {
  const double total = ms("text") + ms("denoise") + ms("decode");
  return total > 0 ? ms("decode") / total : 0;
}

int64_t peak_resident_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;
}

}  // namespace lightswitch
