#pragma once

#include <iosfwd>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

namespace lightswitch::cli {

/// Figures by name, in the order in which they are shown.
using Scores = std::vector<std::pair<std::string, double>>;

/// The scores of every pair of files, all with the same names.
class ScoreTable {
 public:
  void add(const std::string& name, Scores scores) { rows_.emplace_back(name, std::move(scores)); }
  bool empty() const { return rows_.empty(); }

  /// A line for each figure: the value of one pair; mean, lowest and highest of several.
  void print(std::ostream& out) const;
  /// {"psnr": {"mean", "lowest", "highest"}, …}; what is no JSON number is null.
  nlohmann::ordered_json summary() const;
  /// [{"name", "psnr", …}, …]
  nlohmann::ordered_json pairs() const;

 private:
  struct Figure {
    std::string name;
    double mean = 0, lowest = 0, highest = 0;
  };
  std::vector<Figure> figures() const;

  std::vector<std::pair<std::string, Scores>> rows_;
};

}  // namespace lightswitch::cli
