#include "core/peak_memory.hpp"

#include <malloc.h>
#include <lightswitch/memory.hpp>

#include <fstream>
#include <string>

namespace lightswitch {
namespace {

std::optional<int64_t> status_bytes(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(field + ":")) return std::stoll(line.substr(field.size() + 1)) * 1024;
  return std::nullopt;
}

/// What earlier work freed and an allocator kept would hide what comes.
void give_back_kept_memory() {
  release_large_blocks();
  malloc_trim(0);
}

}  // namespace

PeakMemory::PeakMemory() {
  give_back_kept_memory();
  std::ofstream reset("/proc/self/clear_refs");
  reset << "5" << std::flush;  // sets the high-water mark back to what is resident now
  if (reset) start_ = status_bytes("VmRSS");
}

std::optional<int64_t> PeakMemory::bytes() const {
  const auto peak = status_bytes("VmHWM");
  return start_ && peak ? std::optional(*peak - *start_) : std::nullopt;
}

std::optional<int64_t> own_memory() {
  return status_bytes("RssAnon");
}

std::optional<int64_t> held_memory() {
  give_back_kept_memory();
  return status_bytes("VmRSS");
}

}  // namespace lightswitch
