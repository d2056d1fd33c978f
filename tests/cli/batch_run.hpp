#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/command_run.hpp"
#include "cli/small_package.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"

namespace lightswitch::testing {

/// A model package, a manifest and a folder for what is made of them.
class BatchFolders {
 public:
  explicit BatchFolders(bool slow = false) { write_small_package(model_.path(), slow); }

  std::string manifest(const std::string& lines) const { return write_file(work_ / "items.jsonl", lines).string(); }
  std::filesystem::path output(const std::string& name = "out") const { return work_ / name; }
  const std::filesystem::path& work() const { return work_.path(); }
  std::string model() const { return model_.path().string(); }

  /// The words behind `lightswitch`.
  std::vector<std::string> words(const std::string& manifest, const std::vector<std::string>& more = {},
                                 const std::string& out = "out") const {
    std::vector<std::string> all{"batch", manifest, "-m", model(), "-o", output(out).string()};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  CommandRun run(const std::string& manifest, const std::vector<std::string>& more = {},
                 const std::string& out = "out") const {
    return run_command(words(manifest, more, out));
  }

 private:
  TemporaryFolder model_, work_;
};

/// Every line of every results file of a folder, in order.
inline std::vector<nlohmann::json> results_in(const std::filesystem::path& folder) {
  std::vector<nlohmann::json> results;
  for (const std::string& name : names_in(folder)) {
    if (!name.ends_with(".jsonl")) continue;
    std::istringstream lines(read_file(folder / name));
    for (std::string line; std::getline(lines, line);) results.push_back(nlohmann::json::parse(line));
  }
  return results;
}

/// The bytes of every picture in a folder by name.
inline std::map<std::string, std::string> pictures_in(const std::filesystem::path& folder) {
  std::map<std::string, std::string> pictures;
  for (const std::string& name : names_in(folder))
    if (name.ends_with(".png")) pictures[name] = read_file(folder / name);
  return pictures;
}

/// Five prompts of two sizes and two decoders.
inline std::string mixed_items() {
  return R"({"id":"a","prompt":"a red house","seed":1}
{"id":"b","prompt":"a red house","seed":2,"width":48}
{"id":"c","prompt":"the sea","seed":3,"decoder":"other"}
{"id":"d","prompt":"a red house","seed":4,"steps":2,"cfg_scale":1,"negative_prompt":"night"}
{"id":"e","prompt":"a boat","seed":5,"width":48}
)";
}

}  // namespace lightswitch::testing
