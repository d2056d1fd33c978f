#include "harness/peak_memory.hpp"

#include <malloc.h>
#include <lightswitch/memory.hpp>

#include <fstream>
#include <stdexcept>
#include <string>

namespace lightswitch::bench {
namespace {

int64_t status_bytes(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(field + ":")) return std::stoll(line.substr(field.size() + 1)) * 1024;
  throw std::runtime_error("/proc/self/status has no " + field);
}

}  // namespace

PeakMemory::PeakMemory() {
  release_large_blocks();
  malloc_trim(0);  // what earlier work freed and the allocator kept would hide what comes
  std::ofstream("/proc/self/clear_refs") << "5";  // sets the high-water mark back to what is resident now
  start_ = status_bytes("VmRSS");
}

int64_t PeakMemory::bytes() const {
  return status_bytes("VmHWM") - start_;
}

int64_t own_memory() {
  return status_bytes("RssAnon");
}

}  // namespace lightswitch::bench
