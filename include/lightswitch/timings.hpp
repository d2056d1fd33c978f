#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lightswitch {

/// Wall time of one stage of a request.
struct StageTime {
  std::string name;            ///< load, text, denoise, decode, encode, encode_file
  double ms = 0;               ///< the fastest, where a stage was repeated
  std::vector<double> ms_all;  ///< every repetition, in order; one entry when not repeated
};

/// What a request cost. Every number is measured in that request.
struct Timings {
  std::vector<StageTime> stages;
  int64_t peak_bytes = 0;  ///< the process's peak resident memory so far

  /// Adds to the stage of that name, creating it at the end.
  void add(const std::string& name, double ms);
  /// Records one repetition of a stage: ms is then the fastest of them.
  void repeat(const std::string& name, double ms);
  /// Milliseconds of a stage, 0 when it did not run.
  double ms(const std::string& name) const;
  /// decode / (text + denoise + decode), 0 when nothing ran.
  double decode_share() const;
};

/// Peak resident memory of this process in bytes.
int64_t peak_resident_bytes();

}  // namespace lightswitch
