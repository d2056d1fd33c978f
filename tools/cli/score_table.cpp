#include "cli/score_table.hpp"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/comparison.hpp"

namespace lightswitch::cli {

std::vector<ScoreTable::Figure> ScoreTable::figures() const {
  std::vector<Figure> figures;
  if (rows_.empty()) return figures;
  const auto count = static_cast<double>(rows_.size());
  for (size_t i = 0; i < rows_.front().second.size(); ++i) {
    const auto& [name, first] = rows_.front().second[i];
    Figure figure{name, 0, first, first};
    for (const auto& [file, scores] : rows_) {
      const double value = scores[i].second;
      figure.mean += value / count;
      figure.lowest = std::min(figure.lowest, value);
      figure.highest = std::max(figure.highest, value);
    }
    figures.push_back(std::move(figure));
  }
  return figures;
}

void ScoreTable::print(std::ostream& out) const {
  char line[128];
  if (rows_.size() > 1) {
    std::snprintf(line, sizeof line, "%-14s %12s %12s %12s\n", "", "mean", "lowest", "highest");
    out << line;
  }
  for (const Figure& figure : figures()) {
    if (rows_.size() > 1)
      std::snprintf(line, sizeof line, "%-14s %12.6g %12.6g %12.6g\n", figure.name.c_str(), figure.mean, figure.lowest,
                    figure.highest);
    else
      std::snprintf(line, sizeof line, "%-14s %12.6g\n", figure.name.c_str(), figure.mean);
    out << line;
  }
}

nlohmann::ordered_json ScoreTable::summary() const {
  auto json = nlohmann::ordered_json::object();
  for (const Figure& figure : figures())
    json[figure.name] = {{"mean", finite_json(figure.mean)},
                         {"lowest", finite_json(figure.lowest)},
                         {"highest", finite_json(figure.highest)}};
  return json;
}

nlohmann::ordered_json ScoreTable::pairs() const {
  auto json = nlohmann::ordered_json::array();
  for (const auto& [name, scores] : rows_) {
    nlohmann::ordered_json row{{"name", name}};
    for (const auto& [figure, value] : scores) row[figure] = finite_json(value);
    json.push_back(std::move(row));
  }
  return json;
}

}  // namespace lightswitch::cli
