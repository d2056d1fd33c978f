#include "cli/model_lookup.hpp"

#include <lightswitch/error.hpp>

#include <cstdlib>
#include <system_error>

namespace lightswitch::cli {

std::vector<std::filesystem::path> model_roots() {
  std::vector<std::filesystem::path> roots;
  if (const char* named = std::getenv("LIGHTSWITCH_MODELS"); named != nullptr && *named != '\0')
    roots.emplace_back(named);
  std::error_code code;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", code);
  if (!code) {
    const auto folder = program.parent_path();
    roots.push_back((folder / "../../../models").lexically_normal());  // build/release/bin
    roots.push_back((folder / "../share/lightswitch/models").lexically_normal());
  }
  return roots;
}

std::filesystem::path find_model(const std::string& given) {
  if (!given.empty() && std::filesystem::is_directory(given)) return given;
  const std::string name = given.empty() ? "scenes" : given;
  std::string looked;
  for (const auto& root : model_roots()) {
    if (std::filesystem::exists(root / name / "model.json")) return root / name;
    looked += (looked.empty() ? "" : ", ") + (root / name).string();
  }
  throw FileError("no such model",
                  {"", "--model", "a folder with model.json: name one with -m, or set LIGHTSWITCH_MODELS",
                   given.empty() ? "nothing in " + looked : given + " (also looked in " + looked + ")"});
}

}  // namespace lightswitch::cli
